from tests.conversations.test_live import message, path


def test_x(web, committed_cast, conversation):
    sent = message()
    with web.http(committed_cast.dana) as dana:
        dana.post(path(conversation, "messages/"), json=sent, headers={"Prefer": "wait=20"})
        for h in ({}, {"Prefer": "wait=20"}, {"Accept": "text/event-stream"}):
            try:
                r = dana.post(
                    path(conversation, "messages/"), json=sent | {"content": "other"}, headers=h
                )
                print("PROBE", h, r.status_code, r.text[:400])
            except Exception as e:
                print("PROBE", h, repr(e))
    with web.http(committed_cast.alice) as alice:
        r = alice.post(
            path(conversation, "messages/"), json={"content": "a", "client_message_id": "k"}
        )
        print("PROBE", r.status_code)
        r = alice.post(
            path(conversation, "messages/"), json={"content": "b", "client_message_id": "k"}
        )
        print("PROBE", r.status_code, r.text[:200])
        r = alice.post(
            path(conversation, "messages/"),
            json={"content": "c", "client_message_id": sent["client_message_id"]},
        )
        print("PROBE", r.status_code, r.text[:200])
        r = alice.get(path(conversation, "turns/" + "0" * 8 + "-0000-0000-0000-000000000000/"))
        print("PROBE", r.status_code, r.text[:200])
        for c in range(1):
            r = alice.get("/api/v1/usage/")
            print("PROBE", r.text[:300])
