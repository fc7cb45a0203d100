// Package pcapng writes every packet that a [lossy.Network] or a wrapped conn judges
// to a file in the pcapng format, which Wireshark, tshark and tcpdump open.
//
//	file, err := os.Create("failed.pcapng")
//	...
//	capture, err := pcapng.NewWriter(file)
//	...
//	n := lossy.NewNetwork(lossy.WithTrace(capture.Trace()), lossy.Loss(0.1))
//	...
//	err = capture.Err()
//
// The file has two interfaces, "passed" and "dropped". A packet is on the interface
// that its verdict names, at the time when it was sent (or, for ingress, read). A
// comment has the verdict, the delay that the packet was given and its number in the
// flow. A packet that is dropped later is on both interfaces. Times are to the
// nanosecond.
//
// The headers around the payload are made up. They have the addresses of
// [lossy.Packet], or the multicast group as the destination if the packet was sent to
// one; the packet's number as the identification (over IPv4); and correct checksums,
// even if the payload was corrupted.
//
// The same packets at the same times give the same bytes: in a bubble of
// [testing/synctest] the file of one seed is always the same.
package pcapng
