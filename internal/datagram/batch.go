package datagram

import "net/netip"

const (
	// mostSegments is how many datagrams one buffer of a BatchReader may hold. (Linux
	// joins up to 64.)
	mostSegments = 256

	// joinedReadSize is the length of a buffer for joined datagrams.
	joinedReadSize = 1 << 16

	// leastJoined is how many of those there may be at least: what comes may not be
	// joined, from a peer that sends datagrams one by one.
	leastJoined = 16

	// firstBatch is how many buffers a batchReader has at first.
	firstBatch = 2
)

// A readBatch is the method of a BatchReader.
type readBatch func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error)

// A BatchPoller is a BatchReader that can look for packets without waiting.
type BatchPoller interface {
	BatchReader

	// Poller returns a function that is ReadBatch, but for the deadline, which it ignores,
	// and the waiting: where nothing has arrived it returns 0 and no error. It returns nil
	// if self is not the conn itself, but something that decorates it.
	Poller(self any) func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error)
}

// A batchReader reads a conn that is a BatchReader.
type batchReader struct {
	conn  readBatch
	limit int // the longest datagram that is handed on
	size  int // of a buffer
	most  int // buffers

	// The buffers and what is in them: few at first, twice as many after each read that
	// has filled all, for a conn on which little arrives needs no megabytes.
	bufs     [][]byte
	sizes    []int
	segments []int
	from     []netip.AddrPort
	full     bool
}

// A pollingReader is a batchReader that is a poller.
type pollingReader struct {
	*batchReader
	look readBatch
}

// newBatchReader returns a reader of conn; joined says that it joins datagrams of its own
// accord, and so needs long buffers.
func newBatchReader(conn BatchReader, cfg *Config, joined bool) reader {
	r := &batchReader{conn: conn.ReadBatch, limit: cfg.readSize() + 1, most: cfg.batch(), full: true}
	if r.size = r.limit; joined && r.size < joinedReadSize {
		r.most = max(leastJoined, r.most*r.size/joinedReadSize)
		r.size = joinedReadSize
	}
	if p, ok := conn.(BatchPoller); ok {
		if poll := p.Poller(conn); poll != nil {
			return &pollingReader{r, poll}
		}
	}
	return r
}

func (r *batchReader) read(pkts []Packet) ([]Packet, error) { return r.gather(pkts, r.conn) }

func (r *pollingReader) poll(pkts []Packet) ([]Packet, error) { return r.gather(pkts, r.look) }

// gather appends what a read finds.
func (r *batchReader) gather(pkts []Packet, read readBatch) ([]Packet, error) {
	if r.full {
		r.grow()
	}
	clear(r.segments)
	n, err := read(r.bufs, r.sizes, r.segments, r.from)
	n = min(max(n, 0), len(r.bufs))
	r.full = n == len(r.bufs)
	for i := range n {
		pkts = r.split(pkts, i)
	}
	if len(pkts) > 0 {
		// An error that comes with packets comes again if it is the conn's.
		return pkts, nil
	}
	return pkts, err
}

// grow makes room for twice as many packets, up to the most.
func (r *batchReader) grow() {
	has := len(r.bufs)
	more := min(max(has, firstBatch), r.most-has)
	if more == 0 {
		return
	}
	// In one piece: for small packets that is a matter of a few pages.
	all := make([]byte, more*r.size)
	for range more {
		r.bufs = append(r.bufs, all[:r.size:r.size])
		all = all[r.size:]
	}
	r.sizes = make([]int, has+more)
	r.segments = make([]int, has+more)
	r.from = make([]netip.AddrPort, has+more)
}

// split appends the datagrams of buffer i. What cannot be right is dropped.
func (r *batchReader) split(pkts []Packet, i int) []Packet {
	buf, size, segment := r.bufs[i], r.sizes[i], r.segments[i]
	if size < 0 || size > len(buf) || segment < 0 {
		return pkts
	}
	data := buf[:size]
	if segment == 0 {
		return appendPacket(pkts, data[:min(r.limit, len(data))], r.from[i])
	}
	for range mostSegments {
		pkts = appendPacket(pkts, data[:min(segment, r.limit, len(data))], r.from[i])
		if len(data) <= segment {
			break
		}
		data = data[segment:]
	}
	return pkts
}

// A batchWriter writes to a conn that is a BatchWriter.
type batchWriter struct {
	conn BatchWriter
	bufs [][]byte
	to   []netip.AddrPort
}

func newBatchWriter(conn BatchWriter, cfg *Config) *batchWriter {
	return &batchWriter{
		conn: conn,
		bufs: make([][]byte, cfg.batch()),
		to:   make([]netip.AddrPort, cfg.batch()),
	}
}

func (w *batchWriter) write(pkts []Packet) (int, error) {
	pkts = pkts[:min(len(pkts), len(w.bufs))]
	count := 0
	for count < len(pkts) && pkts[count].Addr.IsValid() {
		w.bufs[count], w.to[count] = pkts[count].Data, pkts[count].Addr
		count++
	}
	if count == 0 {
		return 0, errNoAddr
	}
	// The packets are the caller's again.
	defer clear(w.bufs[:count])
	n, err := w.conn.WriteBatch(w.bufs[:count], w.to[:count])
	if n = min(max(n, 0), count); n == count {
		return n, nil
	}
	return n, err
}
