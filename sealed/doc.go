// Package sealed encrypts and authenticates the packets of any net.PacketConn, for
// unicast and for groups, with a secret that the hosts of a group share.
//
//	keys, err := sealed.ParseKeys(file)
//	...
//	conn, err = (&sealed.Config{Keys: keys, Purpose: "p2mp"}).Wrap(conn)
//	...
//	report, err := sender.Send(ctx, conn, receivers, source)
//
// Every protocol works over the conn, at the same addresses. Each packet is 40 bytes
// longer. A packet to a group is sealed once. A packet that does not open is dropped,
// counted ([StatsOf]) and reported ([Trace]), and never answered.
//
// # Format
//
// All integers are big-endian. | joins bytes. Text in quotes is ASCII.
//
//	offset  size
//	   0      1   magic, 0xFE
//	   1      1   version, 1
//	   2      2   key id
//	   4     12   sender id: Unix seconds (u32) | 8 random bytes
//	  16      4   counter, u32, from 1
//	  20      4   salt
//	  24      n   ciphertext, as long as the payload
//	24+n     16   tag
//
// A packet shorter than 40 bytes, or with another magic or version, or with the counter
// 0, is malformed. Nothing may follow the tag: it is always the last 16 bytes.
//
// The secret of the group has 32 bytes. HKDF is that of RFC 5869 with SHA-256:
//
//	prk        = HKDF-Extract(salt = "ferry sealed 1", IKM = secret)
//	key id     = the first 2 bytes of HKDF-Expand(prk, info = "id", L = 32)
//	packet key = HKDF-Expand(prk, info = "key" | 0x00 | purpose | 0x00 | sender id, L = 32)
//
// The purpose is [Config.Purpose] without a terminator; the sender id has its 12 bytes.
// Ciphertext and tag are those of AES-256-GCM (NIST SP 800-38D, RFC 5116) with
//
//	key              packet key
//	nonce            salt (4 bytes) | 0x00000000 | counter (4 bytes)
//	associated data  the 24 bytes of the header
//	plaintext        the payload
//
// Test vectors and a second implementation in Python are in testdata.
//
// # Sending
//
// A conn seals with the first key of its list. It draws a sender id before its first
// packet, and draws another when it writes 60 seconds or more after that (by the clock, in
// either direction), or when 2^22 packets have been sealed under the id. RFC 9001, section
// 6.6, allows 2^23 packets with one AES-GCM key. The seconds of the id are those of the
// clock when the id is drawn. The counter is 1 for the first packet of an id and grows by
// 1. The salt is drawn from crypto/rand for each write, which may be a batch.
//
// # Receiving
//
// The checks are made in this order; the first that fails drops the packet:
//
//  1. It is well-formed.
//  2. If the sender id is known under this key id: it is not older than MaxSkew + 60
//     seconds, the counter is fresh, and the packet authenticates.
//  3. Otherwise: the sender id is not one of the conn's own; there is a key with the key
//     id; the sender id has not been evicted; its time differs from the clock by at most
//     MaxSkew (2 minutes by default, inclusive); and the packet authenticates with one of
//     the keys with this key id, which are tried in the order of the list, at most four.
//
// The age of a sender id is the clock, in whole Unix seconds, less the seconds of the id.
// A counter is fresh if it has not been accepted before and is greater than the greatest
// accepted counter minus 8128 (the window of RFC 6479).
//
// State is made and changed only after a packet has authenticated. Then the sender id is
// known, and its counter is no longer fresh. When an id is too old, its state is dropped;
// ids of that age stay refused, even if the clock is set back. When [Config.MaxSenders] ids
// are known, the least recently used one is evicted and refused until it is too old.
//
// The source address is not checked: a known sender may change its address, because NATs
// do that and a server may answer from two addresses. The protocols bind their sessions to
// addresses.
//
// # Key file
//
// A key file is text in UTF-8. Lines end with LF or CRLF; the last end may be missing.
// Spaces and tabs around a line are ignored, and so are empty lines and lines that begin
// with #. Every other line is "ferry-key-1", followed at once by the 44 characters of the
// secret in standard base64 with padding (RFC 4648, section 4; unused bits are zero). Any
// other text, a key that is there twice, and a file without keys are errors, which name the
// line and never the text.
//
// # Rotation
//
// The first key of the list seals, and all keys open. To change the key without a pause:
// add the new key at the end of all lists; then move it to the front of all lists; then
// remove the old key from all lists.
//
// # What it gives
//
// Against an attacker without a key, who can read, drop, delay, change, repeat and
// invent packets:
//
//   - Payloads are secret.
//   - Packets are authentic: only a holder of the key can make a packet that opens. Header,
//     payload and purpose are authenticated, and a packet of one purpose opens in no other.
//   - A packet opens at most once at a conn, while MaxSenders suffices.
//   - After a restart nothing is remembered. Then a packet may open once more if its sender
//     id is at most MaxSkew old. Older packets do not open.
//   - A conn does not open its own packets, whether they come back by multicast loopback or
//     because an attacker reflects them.
//   - A flood of forged packets makes no state and no answer. Each costs less than a few
//     microseconds, about as much as receiving it.
//
// # What it does not give
//
//   - No authentication within the group: every member can read all packets, and can send
//     in the name of every other member. Sign files if that matters.
//   - No forward secrecy: someone who learns the secret can read packets that were recorded before.
//     Rotation limits that to the time for which a key was used, if the key is destroyed.
//   - No hiding of sizes, times and addresses, and no protection against dropping or
//     delaying packets, or against a flood that fills the network.
//   - No protection against replay across restarts within MaxSkew, see above.
//   - With MaxSkew < 0, for hosts without a clock, times are not checked: a packet of any
//     age opens at a conn that has not heard of its sender id or has forgotten it after
//     other evictions.
//   - A member can make all conns forget evicted ids, by using more than 65,536 sender ids.
//
// Nonces are unique within a process because of the counter, and across processes because
// each draws sender ids of 64 random bits. If two processes have the same state, because a
// virtual machine was cloned or restored from a snapshot, they share a sender id for at most
// 60 seconds. Then a nonce repeats only if counter and salt are equal: a chance of 2^-32 for
// each pair of packets with the same counter. A repeated nonce reveals the XOR of the two
// payloads and allows forgeries under that sender id.
//
// # Limits
//
// [Config.MaxSenders] bounds the sender ids that are remembered, 16,384 by default with
// about 2 KiB each; 65,536 evicted ids and 4,096 own ids are remembered besides. The
// longest payload is 40 bytes shorter than without the package. The time in a sender id ends
// in 2106.
//
// # Choices
//
// A group has no handshake that scales, and a counter on disk may be lost or copied. The
// sender id makes both unnecessary (RFC 6054 describes the problem of nonces for several
// senders). Nothing is negotiated: another cipher would be version 2.
//
// AES-256-GCM takes 0.4 us for 1400 bytes where the processor has AES instructions, and
// XChaCha20-Poly1305 0.7 us.
//
// A conn whose clock was set back by more than MaxSkew refuses new sender ids until its
// clock is where it was, or it is opened again. Otherwise setting the clock back would open
// the way for old packets.
//
// One packet a second with a refused time is authenticated, so that [Refusal.Skew] can tell
// how far the clocks are apart, and a forged packet cannot tell lies about it.
//
// # Where the code does what
//
//	key.go       keys, key files, key derivation
//	packet.go    the header and the nonce
//	sealer.go    sender ids, counters and salts
//	opener.go    the checks of "Receiving", in their order
//	senders.go   the sender ids that are known, evicted, or the conn's own
//	window.go    which counters have arrived
//	conn.go, batch.go, inner.go   the conn
package sealed
