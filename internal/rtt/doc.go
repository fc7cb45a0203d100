// Package rtt measures the round trip to one peer and says how long to wait for its
// answer before sending again.
//
// It is RFC 6298 with the floors and caps of a transfer between machines that are
// awake, not of TCP across the world: [Config] has the numbers. The package is pure: it
// looks at no clock, is told what happened, and is asked for [Estimator.RTO]. One
// Estimator serves one peer.
//
// # Karn's algorithm
//
// The caller keeps half of a promise (RFC 6298, section 3; RFC 8085, section 3.1.1): it
// gives [Estimator.Sample] only round trips of packets that were sent once. The answer
// to a packet sent twice may belong to either copy, and says nothing about the time
// that it took; for it the caller calls [Estimator.Heard]. An answer that names the
// copy it belongs to (a timestamp or a poll number that it echoes) is never ambiguous,
// and always a sample.
//
// # Choices
//
// Karn would keep a timer doubled until the next sample. Here the doubling ends when
// anything arrives from the peer: where each way loses 40 % of the packets, a try fails
// 64 times in 100, and a timer that doubled for each of them would spend a transfer
// asleep. Taken alone that rule has a trap. If the round trip is longer than the timer,
// then every packet is sent twice, no answer is ever a sample, and the timer never
// learns. So the Estimator counts how often in a row the peer was heard only after a
// timeout, and doubles the timer once for every six, up to Max, until a sample says how
// long the round trip is. Chance alone makes any six in a row with probability 0.00005
// where 10 % are lost each way, and 0.07 where 40 % are; there a failed try then takes
// 4 % longer on average.
package rtt
