// Package rtt measures the round trip time to one peer and tells how long to wait for an
// answer before a retransmission (RFC 6298).
//
//	var e rtt.Estimator
//	timeout := e.RTO()         // to wait for the first answer
//	e.Sample(now.Sub(sent))    // an answer to a packet that was sent once
//	e.Heard()                  // any other packet of the peer
//	e.TimedOut()               // nothing came in time: RTO doubles
//
// The minimum and maximum are those of transfers between nearby machines, not of TCP across
// the world: see [Config]. The package reads no clock. One Estimator is for one peer.
//
// # Karn's algorithm
//
// [Estimator.Sample] must only get round trips of packets that were sent once (RFC 6298,
// section 3; RFC 8085, section 3.1.1). The answer to a packet that was sent twice may belong
// to either copy and tells nothing about the round trip; for such an answer the caller calls
// [Estimator.Heard]. An answer that identifies the copy, by a timestamp or a poll number that
// it echoes, is always a sample.
//
// # Choices
//
// Karn's algorithm keeps a doubled timer until the next sample. Here any packet of the peer
// ends the doubling. Where 40 % of the packets are lost each way, 64 tries of 100 fail, and a
// timer that doubles for each of them would spend most of a transfer waiting.
//
// That rule alone has a trap. If the round trip is longer than the timer, every packet is sent
// twice, no answer is ever a sample, and the timer never adapts. The Estimator therefore
// counts how often in a row the peer was heard only after a timeout. It doubles the timer once
// for every six, up to Max, until there is a sample. The probability of six in a row by chance
// is 0.00005 where 10 % are lost each way, and 0.07 where 40 % are lost; there a failed try
// then takes 4 % longer on average.
package rtt
