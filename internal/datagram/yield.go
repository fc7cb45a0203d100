package datagram

// fewPackets is how many packets are few: it is worth while to let others send more first.
const fewPackets = 16

// giveWay lets other processes have the processor, and looks what they have sent then. A
// sender that shares its processor with receivers would otherwise be put off by each packet:
// whoever is woken up by it runs at once, reads that one, and sleeps again. Where nobody
// waits for the processor, it takes a microsecond.
func (c *Conn) giveWay(p poller) ([]Packet, error) {
	if n := len(c.pkts); c.yield == nil || n == 0 || n >= fewPackets {
		return nil, nil
	}
	c.yield()
	return c.keep(p.poll(c.pkts[:0]))
}
