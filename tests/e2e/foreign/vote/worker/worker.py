"""Carries votes from Redis to PostgreSQL."""

import psycopg2
import redis

store = redis.Redis("redis")
connection = psycopg2.connect(host="db", user="postgres", password="postgres", dbname="postgres")
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("CREATE TABLE IF NOT EXISTS votes (vote text NOT NULL)")
while True:
    _, vote = store.blpop("votes")
    cursor.execute("INSERT INTO votes VALUES (%s)", (vote.decode(),))
    print("a vote for", vote.decode(), flush=True)
