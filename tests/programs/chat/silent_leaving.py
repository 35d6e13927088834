# fails: byebye

import socketserver, threading

members = {}
lock = threading.Lock()


def tell(text, but):
    with lock:
        others = [w for n, w in members.items() if n != but]
    for w in others:
        try:
            w(text.encode() + b"\n")
        except OSError:
            pass


class H(socketserver.StreamRequestHandler):
    def handle(self):
        name = None
        try:
            line = self.rfile.readline()
            if not line.endswith(b"\n"):
                return
            name = line.decode().strip()
            with lock:
                members[name] = self.request.sendall
            tell(f"* {name} has come", name)
            for line in self.rfile:
                text = line.decode().rstrip("\r\n")
                if text == "byebye":
                    break
                tell(f"{name}: {text}", name)
        except (OSError, UnicodeDecodeError):
            pass
        finally:
            if name:
                with lock:
                    members.pop(name, None)


class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64
    daemon_threads = True


S(("", 9000), H).serve_forever()
