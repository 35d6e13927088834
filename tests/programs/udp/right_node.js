// passes

const socket = require("dgram").createSocket("udp4");

socket.on("message", (data, from) => socket.send(data, from.port, from.address));
socket.bind(9000, "0.0.0.0");
