"""Counts its visits in Redis."""

import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

store = redis.Redis(os.environ["REDIS_HOST"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{socket.gethostname()}: visit {store.incr('visits')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 5000), Handler).serve_forever()
