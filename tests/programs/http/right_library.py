# passes

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<h1>hello</h1>"


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # else what is no request is answered without a status line

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(PAGE)


class Server(ThreadingHTTPServer):
    request_queue_size = 64


Server(("", 8000), Hello).serve_forever()
