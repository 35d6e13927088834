"""Posts in PostgreSQL: POST / adds one, GET / lists them."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg2

PASSWORD = Path("/run/secrets/db-password").read_text().strip()


def ask(question, *values):
    connection = psycopg2.connect(host="db", user="postgres", password=PASSWORD, dbname="postgres")
    with connection, connection.cursor() as cursor:
        cursor.execute(question, values)
        return cursor.fetchall() if cursor.description else []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("".join(f"{title}\n" for (title,) in ask("SELECT title FROM post ORDER BY id")))

    def do_POST(self):
        title = self.rfile.read(int(self.headers["Content-Length"])).decode()
        ask("INSERT INTO post (title) VALUES (%s)", title)
        self.answer("added\n")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


ask(Path("/schema.sql").read_text())
print("the backend listens", flush=True)
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
