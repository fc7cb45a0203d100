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
// Every client gets an ID when it connects: 1, 2, 3 and so on, never used again while the Server lives. What a client says
// is delivered to all others, one line for each message:
//
//	client 1                 server                client 2      client 3
//	   |------- "hello" ------->|                      |             |
//	   |                        |---- "1: hello\n" --->|             |
//	   |                        |---- "1: hello\n" ----------------->|
//	   |                        |<------- "exit" ------|             |
//	   |                        |-- closes ----------->|             |
//
// At most five clients are served at once; the sixth is told why and closed. A client ends by saying "exit", or by closing
// its side.
//
// While the queue of a client is full, those who speak wait for it, and it is disconnected if it takes less than 16 KiB in
// [Server.SlowTimeout], a quarter of a second ([Slow] has other policies).
//
// # Messages
//
// A client of the document sends bare text, and a read at the server is a message. Other clients send lines. [Framing]
// tells them apart by the first newline. A delivered message never holds a newline, so every line that a client receives
// begins with the ID of the client that said it, and no client can speak for another. Text is bytes, and is passed on as it
// is, control characters included: a program that shows it on a terminal must make it printable.
//
// Lines that begin with an asterisk come from the server itself:
//
//   - full: at most 5 clients            to the sixth, or the reason of Server.Admit
//   - you are 3                          with Server.Notices: to the new client,
//   - 3 joined                           to the others,
//   - 3 left                             and when it has gone
//   - 17 messages lost                   under the policy DropOldest
//   - message longer than 65536 bytes    before the connection is closed
//   - silent too long                    likewise
//   - kicked                             likewise
//   - any text                           of Server.Say
//
// # The forwarder
//
// A Forwarder copies raw bytes both ways, half-closed connections included, so that any number of them fits between a client
// and a server that know nothing of it:
//
//	client ---> Forwarder ---> Forwarder ---> server
//	       <---           <---           <---
//
// # The peer
//
// A Peer sends each message to the other one over UDP, and a copy to the server. Its
// packets have one layout; numbers are big-endian:
//
//	0       1       2       3       4                              12              16
//	+-------+-------+-------+-------+-------------------------------+---------------+
//	|  'F'  |  'C'  |  kind |   0   |            session            |    number     | text ...
//	+-------+-------+-------+-------+-------------------------------+---------------+
//
// Its fields:
//
//   - The kind is 1 for a message (SAY), 2 for an acknowledgement (ACK), which has no
//     text.
//   - The session is a random number that the sender of the messages chose for this
//     run. An ACK repeats it.
//   - The number counts messages, from 1.
//
// One message is on its way at a time. It is retransmitted until it is acknowledged, with a timer that follows the measured
// round trip (RFC 6298), and nothing is delivered twice. The message "exit" ends both peers.
//
// # Limits
//
// Nothing is encrypted or authenticated: a host that can send UDP packets from the other peer's address, or that is on the
// path, can speak for the peer.
//
// A client that only listens, and a connection that carries nothing, keep their places: both are normal. [Server.IdleTimeout]
// and [Server.Admit] bound them.
//
// # Choices
//
// Where CSCI 351 project 4 is silent, or this package goes its own way:
//
//   - A delivery ends with a newline, also to clients that send none: two deliveries that arrive in one read can be
//     told apart.
//   - A client gets no copy of what it says. All others get all messages in the same order.
//   - A message that holds newlines is several messages. A carriage return before a
//     newline is dropped with it.
//   - What a client has not finished when it ends (a line without its newline) is still
//     delivered.
//   - "exit" must be the whole message: "exit now" is chat.
//   - The sixth client does not use up an ID.
//   - The place of a client that says "exit" is free at once. What waits for it is
//     still written, within bounds: see [Server.MaxClients] and [Server.WriteTimeout].
//   - The document's server prints the client's address as Python does. [PrintTrace]
//     prints ADDRESS:PORT.
//   - A connection that is reset at one end of a Forwarder is reset at the other, when that has all that came before;
//     it is not closed as if all had arrived. Both ends are reset when a Forwarder is stopped.
//   - A host that acknowledges nothing of what was sent to it for 40 s has vanished (RFC 9293, section 3.8.3, leaves
//     the time to the application). A host that acknowledges but does not read has not.
//   - A Peer copies its messages to the server without a newline, as the document's
//     clients do. [Peer.Framing] changes that.
//   - A Peer takes what its server sends for lines, as a [Server] sends them, if the
//     first read begins with "ID: " or "* ", however long the line is: else the text of
//     one client, cut at the right place, could pass for a delivery of another's. What
//     begins otherwise, as a plain server may send it, is told apart as by [Auto].
//   - A Peer that has nothing more to say (its channel is closed) says "exit".
//   - The other peer may start again in mid-chat. Once it has said "exit" the chat is
//     over, and what it says after it has started again waits for the next one.
//   - Both peers send each other's text through the server as well, so that the
//     server's deliveries repeat what came over UDP. [Message.Server] tells them apart.
//
// # Where the code does what
//
//   - server.go, serving.go: options, one call of Serve, one client from its first byte to its last
//   - room.go: who is there, and the order of deliveries; client.go, queue.go: what waits for one client
//   - splitter.go: where a message ends; delivery.go: how it is encoded
//   - forwarder.go, upstream.go: accepting, and connecting to the upstream host; join.go: copying both ways
//   - chat.go: one call of Peer.Run; dialogue.go: what is sent to the other peer and when; packet.go: its packets
package relay
