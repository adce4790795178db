"""What each role of the cast gets at each address: the status, with an empty body.

Dana is whose conversation it is; Fay is another client of the same practice. Alice owns the
practice, Bob coaches there too, Charlie owns another one.
"""

ROLES = ("nobody", "dana", "fay", "alice", "bob", "charlie")

# fmt: off
API = {
    # of a client of Alice's                     nobody dana fay  alice bob  charlie
    "GET clients/":                              (401, 403, 403, 200, 200, 200),
    "POST clients/":                             (401, 403, 403, 400, 400, 400),
    "GET clients/<uuid:client_id>/":             (401, 403, 403, 200, 200, 404),
    "PATCH clients/<uuid:client_id>/":           (401, 403, 403, 200, 200, 404),
    "DELETE clients/<uuid:client_id>/":          (401, 403, 403, 204, 204, 404),
    "POST clients/<uuid:client_id>/tokens/":     (401, 403, 403, 201, 201, 404),
    # of Dana's conversation
    "GET conversations/":                                        (401, 200, 200, 200, 200, 200),
    "POST conversations/":                                       (401, 201, 201, 400, 400, 400),
    "GET conversations/<uuid:conversation_id>/":                 (401, 200, 404, 200, 200, 404),
    "GET conversations/<uuid:conversation_id>/messages/":        (401, 200, 404, 200, 200, 404),
    "POST conversations/<uuid:conversation_id>/messages/":       (401, 400, 404, 400, 400, 404),
    "GET conversations/<uuid:conversation_id>/events/":          (401, 200, 404, 200, 200, 404),
    "GET conversations/<uuid:conversation_id>/turns/<uuid:turn_id>/":
                                                                 (401, 403, 403, 200, 200, 404),
    "POST conversations/<uuid:conversation_id>/turns/<uuid:turn_id>/retry/":
                                                                 (401, 403, 403, 409, 409, 404),
    "POST conversations/<uuid:conversation_id>/takeover/":       (401, 403, 403, 200, 200, 404),
    "POST conversations/<uuid:conversation_id>/handback/":       (401, 403, 403, 400, 400, 404),
    "POST conversations/<uuid:conversation_id>/pause/":          (401, 403, 403, 200, 200, 404),
    "POST conversations/<uuid:conversation_id>/resume/":         (401, 403, 403, 200, 200, 404),
    "POST conversations/<uuid:conversation_id>/complete/":       (401, 403, 403, 200, 200, 404),
    # of a document of Alice's
    "GET documents/":                                            (401, 403, 403, 200, 200, 200),
    "POST documents/":                                           (401, 403, 403, 400, 400, 400),
    "GET documents/<uuid:document_id>/":                         (401, 403, 403, 200, 200, 404),
    "DELETE documents/<uuid:document_id>/":                      (401, 403, 403, 204, 204, 404),
    "POST documents/<uuid:document_id>/reprocess/":              (401, 403, 403, 202, 202, 404),
    "POST knowledge/search/":                                    (401, 403, 403, 400, 400, 400),
    "GET usage/":                                                (401, 403, 403, 200, 200, 200),
}
PAGES = {
    # the chat: a client's; a coach is taken to the inbox
    #                                                        nobody dana fay  alice bob  charlie
    "GET ":                                                  (302, 200, 200, 302, 302, 302),
    "POST ":                                                 (302, 405, 405, 302, 302, 302),
    "GET c/<uuid:conversation_id>/":                         (302, 200, 404, 302, 302, 302),
    "POST c/<uuid:conversation_id>/":                        (302, 405, 405, 302, 302, 302),
    "GET c/new/":                                            (302, 405, 405, 302, 302, 302),
    "POST c/new/":                                           (302,) * 6,
    # the coach's area; the practice's own settings are the owner's
    "GET coach/":                                            (302, 403, 403, 200, 200, 200),
    "POST coach/":                                           (302, 403, 403, 405, 405, 405),
    "GET coach/rows/":                                       (302, 403, 403, 200, 200, 200),
    "POST coach/rows/":                                      (302, 403, 403, 405, 405, 405),
    "GET coach/conversations/<uuid:conversation_id>/":       (302, 403, 403, 200, 200, 404),
    "POST coach/conversations/<uuid:conversation_id>/":      (302, 403, 403, 405, 405, 405),
    "GET coach/clients/":                                    (302, 403, 403, 200, 200, 200),
    "POST coach/clients/":                                   (302, 403, 403, 405, 405, 405),
    "GET coach/clients/new/":                                (302, 403, 403, 405, 405, 405),
    "POST coach/clients/new/":                               (302, 403, 403, 422, 422, 422),
    "GET coach/clients/<uuid:client_id>/open/":              (302, 403, 403, 405, 405, 405),
    "POST coach/clients/<uuid:client_id>/open/":             (302, 403, 403, 302, 302, 404),
    "GET coach/knowledge/":                                  (302, 403, 403, 200, 200, 200),
    "POST coach/knowledge/":                                 (302, 403, 403, 405, 405, 405),
    "GET coach/knowledge/documents/":                        (302, 403, 403, 200, 200, 200),
    "POST coach/knowledge/documents/":                       (302, 403, 403, 405, 405, 405),
    "GET coach/usage/":                                      (302, 403, 403, 200, 200, 200),
    "POST coach/usage/":                                     (302, 403, 403, 405, 405, 405),
    "GET coach/settings/":                                   (302, 403, 403, 200, 200, 200),
    "POST coach/settings/":                                  (302, 403, 403, 405, 405, 405),
    "GET coach/settings/profile/":                           (302, 403, 403, 405, 405, 405),
    "POST coach/settings/profile/":                          (302, 403, 403, 422, 422, 422),
    "GET coach/settings/workspace/":                         (302, 403, 403, 405, 403, 405),
    "POST coach/settings/workspace/":                        (302, 403, 403, 422, 403, 422),
    "GET coach/settings/keys/new/":                          (302, 403, 403, 405, 403, 405),
    "POST coach/settings/keys/new/":                         (302, 403, 403, 422, 403, 422),
    "GET coach/settings/keys/<uuid:key_id>/revoke/":         (302, 403, 403, 405, 403, 405),
    "POST coach/settings/keys/<uuid:key_id>/revoke/":        (302, 403, 403, 302, 403, 404),
    "GET coach/settings/providers/<slug:provider>/":         (302, 403, 403, 405, 403, 405),
    "POST coach/settings/providers/<slug:provider>/":        (302, 403, 403, 302, 403, 302),
    "GET coach/settings/providers/<slug:provider>/remove/":  (302, 403, 403, 405, 403, 405),
    "POST coach/settings/providers/<slug:provider>/remove/": (302, 403, 403, 302, 403, 302),
    # everybody's
    "GET offline/":                                          (200,) * 6,
    "POST offline/":                                         (405,) * 6,
    "GET sw.js":                                             (200,) * 6,
    "POST sw.js":                                            (405,) * 6,
    "GET accounts/login/":                                   (200, 302, 302, 302, 302, 302),
    "POST accounts/login/":                                  (200, 302, 302, 302, 302, 302),
    "GET accounts/logout/":                                  (405,) * 6,
    "POST accounts/logout/":                                 (302,) * 6,
    "GET api/schema/":                                       (200,) * 6,
    "POST api/schema/":                                      (405,) * 6,
    "GET api/docs/":                                         (200,) * 6,
    "POST api/docs/":                                        (405,) * 6,
    "GET healthz":                                           (200,) * 6,
    "POST healthz":                                          (200,) * 6,
    "GET readyz":                                            (200,) * 6,
    "POST readyz":                                           (200,) * 6,
    "GET metrics":                                           (200,) * 6,  # from this machine
    "POST metrics":                                          (200,) * 6,
}
SOCKETS = {
    # 0: let in; else the code it is closed with
    "ws/conversations/<uuid:conversation_id>/": (4401, 0, 4404, 0, 0, 4404),
    "ws/inbox/":                                (4401, 4403, 4403, 0, 0, 0),
    "":                                         (4404,) * 6,
}
# fmt: on
