"""What the first page of labctl's documentation shows, as a program: lines, datagrams, the journal, a lost packet."""

import labctl


def ends(delivery: labctl.Delivery) -> str:
    (host, port), (other, other_port) = delivery.local, delivery.peer
    return f"{delivery.sender} -> {delivery.receiver}  {delivery.text!r}  {host}:{port} -> {other}:{other_port}"


def main() -> None:
    with labctl.up("hello", name="first-program", record=True) as lab:
        alice, client = lab.node("alice"), lab.node("client")

        said = alice.send("hi")
        print(f"{ends(said)}  delivered in {said.seconds * 1000:.1f} ms")

        asked = client.send("is anybody there?")
        print(f"{ends(asked)}  answered {asked.answer!r} in {asked.seconds * 1000:.1f} ms")

        train = lab.node("udp1").send_train("udp2", count=20)
        print(f"{train.sender} -> {train.receiver}  sent {train.sent}, received {train.received}, lost {train.lost}")

        for event in lab.journal("alice", "bob", tail=4):
            print(event.ts, event.node, event.name, event.get("text") or "")

        with lab.link("alice:bob").drop("tcp data 1") as rule, lab.trace("alice", "bob") as seen:
            again = alice.send("hi")
        print(f"{ends(again)}  delivered in {again.seconds * 1000:.1f} ms")
        print(f"{rule.what}: {rule.matched} packet")
        print(seen.ladder("alice", "bob").text(columns=100))


if __name__ == "__main__":
    main()
