CREATE TABLE IF NOT EXISTS post (id serial PRIMARY KEY, title text NOT NULL);
