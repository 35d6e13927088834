// passes

const http = require("http");

const page = "<h1>hello</h1>\n";

const server = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/html", "Content-Length": Buffer.byteLength(page) });
  response.end(request.method === "HEAD" ? undefined : page);
});
server.listen(8000, "0.0.0.0", 64);
