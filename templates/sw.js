{% load static %}// Shows our own page when a navigation finds no network. Nothing else is cached:
// conversations are live, and a stale one would be worse than none.
const CACHE = "opencoach-offline-1";
const OFFLINE = "{% url 'pages:offline' %}";
const PARTS = [
  OFFLINE,
  "{% static 'css/app.css' %}",
  "{% static 'icons.svg' %}",
  "{% static 'js/theme.js' %}",
  "{% static 'fonts/source-sans-3-latin-wght-normal.woff2' %}",
  "{% static 'fonts/newsreader-latin-wght-normal.woff2' %}",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(PARTS)));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))));
  event.waitUntil(old);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (request.method === "GET" && PARTS.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(request, { ignoreVary: true })));
  }
});
