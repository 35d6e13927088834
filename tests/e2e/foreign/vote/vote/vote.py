"""Takes votes: POST / puts one into Redis."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("cats or dogs?\n")

    def do_POST(self):
        redis.Redis("redis").rpush("votes", self.rfile.read(int(self.headers["Content-Length"])))
        self.answer("thank you\n")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("", 80), Handler).serve_forever()
