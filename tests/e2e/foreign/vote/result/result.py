"""Counts the votes in PostgreSQL."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg2.connect(host="db", user="postgres", password="postgres", dbname="postgres") as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT vote, count(*) FROM votes GROUP BY vote ORDER BY vote")
            body = "".join(f"{vote} {count}\n" for vote, count in cursor.fetchall()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 80), Handler).serve_forever()
