// fails: length

const http = require("http");

const page = "<h1>Grüße 字</h1>\n";

const server = http.createServer({ strictContentLength: false }, (request, response) => {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ${page.length}\r\n`;
  response.socket.end(`${head}Connection: close\r\n\r\n${page}`);
});
server.listen(8000, "0.0.0.0", 64);
