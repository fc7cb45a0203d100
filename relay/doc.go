// Package relay passes messages between TCP clients: a [Server] that broadcasts what each client says to all others, a
// [Forwarder] that copies a connection to the next host, and a [Peer], a client that also talks to another client over UDP.
// It is CSCI 351 project 4, questions 1 to 3.
//
//	var s relay.Server // at most five clients
//	err := s.Serve(ctx, listener)
//
//	var f relay.Forwarder
//	err := f.ListenAndForward(ctx, ":9001", "server:9000")
//
//	var p relay.Peer
//	report, err := p.Run(ctx, serverConn, udpConn, other, say, func(m relay.Message) { fmt.Println(m.Text) })
//
// # The server
//
// Each client gets an ID when it connects: 1, 2, 3 and so on, never used again while the Server lives. Each message is
// delivered to all other clients as one line:
//
//	client 1                 server                client 2      client 3
//	   |------- "hello" ------->|                      |             |
//	   |                        |---- "1: hello\n" --->|             |
//	   |                        |---- "1: hello\n" ----------------->|
//	   |                        |<------- "exit" ------|             |
//	   |                        |-- closes ----------->|             |
//
// At most five clients are served at once; the sixth is told so and closed. A client ends when it says "exit" or closes its
// side.
//
// While the queue of a client is full, clients that speak wait for it. A client with a full queue is disconnected if it
// takes less than 16 KiB in [Server.SlowTimeout], a quarter of a second. [Slow] has other policies.
//
// # Messages
//
// A client of the document sends bare text, and each read at the server is a message. Other clients send lines. [Framing]
// tells them apart by the first newline. A delivered message never holds a newline, so every line that a client receives
// begins with the ID of its sender, and no client can impersonate another. Text is bytes and is passed on unchanged,
// control characters included: a program that prints it on a terminal must make it printable.
//
// Lines that begin with an asterisk come from the server:
//
//   - full: at most 5 clients            to the sixth client; or the error of Server.Admit
//   - you are 3                          with Server.Notices, to the new client
//   - 3 joined                           with Server.Notices, to the others
//   - 3 left                             with Server.Notices, to the others
//   - 17 messages lost                   under the policy DropOldest
//   - message longer than 65536 bytes    before the connection is closed
//   - silent too long                    before the connection is closed
//   - kicked                             before the connection is closed
//   - any text                           from Server.Say
//
// # The forwarder
//
// A Forwarder copies bytes both ways, half-closed connections included. Any number of them can stand between a client and a
// server:
//
//	client ---> Forwarder ---> Forwarder ---> server
//	       <---           <---           <---
//
// # The peer
//
// A Peer sends each message to the other Peer over UDP, and a copy to the server. All packets have one layout; numbers are
// big-endian:
//
//	0       1       2       3       4                              12              16
//	+-------+-------+-------+-------+-------------------------------+---------------+
//	|  'F'  |  'C'  |  kind |   0   |            session            |    number     | text ...
//	+-------+-------+-------+-------+-------------------------------+---------------+
//
// Its fields:
//
//   - kind: 1 for a message (SAY), 2 for an acknowledgement (ACK), which has no text
//   - session: a random number that the sender of the messages chose for this run; an ACK repeats it
//   - number: counts messages, from 1
//
// One message is in flight at a time. It is retransmitted until it is acknowledged, with a timeout that follows the
// measured round trip (RFC 6298). No message is delivered twice. The message "exit" ends both peers.
//
// # Limits
//
// Nothing is encrypted or authenticated: a host on the path, or one that can forge the other peer's address, can send
// messages in its name.
//
// A client that only listens, or a connection without traffic, keeps its place. [Server.IdleTimeout] and [Server.Admit]
// limit that.
//
// # Choices
//
// Where CSCI 351 project 4 is silent, or this package differs from it:
//
//   - A delivery ends with a newline, also to clients that send none: two deliveries in one read stay apart.
//   - A client gets no copy of its own messages. All others get all messages in the same order.
//   - A message with newlines is several messages. A carriage return before a newline is dropped.
//   - A last line without a newline is delivered when the client ends.
//   - "exit" must be the whole message: "exit now" is chat.
//   - A refused client uses no ID.
//   - The place of a client that says "exit" is free at once. Its queue is still written, within [Server.MaxClients] and
//     [Server.WriteTimeout].
//   - The document's server prints the client's address as Python does. [PrintTrace] prints ADDRESS:PORT.
//   - A Forwarder passes a reset on as a reset, after the data before it, so that it is not mistaken for the end of the
//     data. Both ends are reset when a Forwarder is stopped.
//   - A host that acknowledges no data for 40 s is given up (RFC 9293, section 3.8.3, leaves the time to the
//     application). A host that acknowledges but does not read is not.
//   - A Peer copies its messages to the server without a newline, as the document's clients do. [Peer.Framing] changes
//     that.
//   - If the first read from its server begins with "ID: " or "* ", a Peer splits that stream into lines, however long
//     they are: otherwise the end of a long message could pass for another client's. Other streams are split as by
//     [Auto].
//   - A Peer whose channel is closed says "exit".
//   - The other peer may be restarted during a chat. After its "exit" the chat is over, and messages of its next run are
//     for the next chat.
//   - A server delivers each peer's copies to the other, so every message arrives twice. [Message.Server] tells the two
//     apart.
//
// # Where the code does what
//
//   - server.go, serving.go: options, one call of Serve, one client from its first byte to its last
//   - room.go: the clients, and the order of deliveries; client.go, queue.go: the queue of one client
//   - splitter.go: where a message ends; delivery.go: how it is encoded
//   - forwarder.go, upstream.go: accepting, and connecting to the upstream host; join.go: copying both ways
//   - chat.go: one call of Peer.Run; dialogue.go: the state machine; packet.go: the packets
package relay
