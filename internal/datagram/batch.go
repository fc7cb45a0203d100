package datagram

import "net/netip"

const (
	// maxSegments is how many datagrams one buffer of a BatchReader may hold. (Linux
	// joins up to 64.)
	maxSegments = 256

	// joinedReadSize is the length of a buffer for joined datagrams.
	joinedReadSize = 1 << 16

	// minJoined is the smallest bound on the number of such buffers: a peer may send
	// datagrams that cannot be joined.
	minJoined = 16

	// initialBatch is how many buffers a batchReader has at first.
	initialBatch = 2
)

// A readBatch is the method ReadBatch or PollBatch of a conn.
type readBatch func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error)

// A batchReader reads a conn that is a BatchReader.
type batchReader struct {
	conn  readBatch
	limit int // the longest datagram that is delivered
	size  int // of a buffer
	max   int // number of buffers
	tell  bool

	// The buffers and their contents. Each read that fills all of them doubles their
	// number: a conn with little traffic needs little memory.
	bufs     [][]byte
	sizes    []int
	segments []int
	from     []netip.AddrPort
	local    []netip.Addr // nil unless tell is set
	full     bool
}

// A pollingReader is a batchReader that is a poller.
type pollingReader struct {
	*batchReader
	look readBatch
}

// newBatchReader returns a reader of conn. joined says that conn joins datagrams, so that
// buffers must be long.
func newBatchReader(conn BatchReader, cfg *Config, joined bool) reader {
	r := &batchReader{conn: conn.ReadBatch, limit: cfg.readSize() + 1, max: cfg.batch(), tell: cfg.Local, full: true}
	if r.size = r.limit; joined && r.size < joinedReadSize {
		r.max = max(minJoined, r.max*r.size/joinedReadSize)
		r.size = joinedReadSize
	}
	if p, ok := conn.(BatchPoller); ok {
		return &pollingReader{r, p.PollBatch}
	}
	return r
}

func (r *batchReader) read(pkts []Packet) ([]Packet, error) { return r.readBy(pkts, r.conn) }

func (r *pollingReader) poll(pkts []Packet) ([]Packet, error) { return r.readBy(pkts, r.look) }

// readBy appends the packets that read returns.
func (r *batchReader) readBy(pkts []Packet, read readBatch) ([]Packet, error) {
	if r.full {
		r.grow()
	}
	clear(r.segments)
	clear(r.local)
	n, err := read(r.bufs, r.sizes, r.segments, r.from, r.local)
	n = min(max(n, 0), len(r.bufs))
	r.full = n == len(r.bufs)
	for i := range n {
		pkts = r.split(pkts, i)
	}
	if len(pkts) > 0 {
		// If the error is the conn's, the next read returns it again.
		return pkts, nil
	}
	return pkts, err
}

// grow doubles the number of buffers, up to the maximum.
func (r *batchReader) grow() {
	has := len(r.bufs)
	more := min(max(has, initialBatch), r.max-has)
	if more == 0 {
		return
	}
	// One allocation: for small packets it is a few pages.
	all := make([]byte, more*r.size)
	for range more {
		r.bufs = append(r.bufs, all[:r.size:r.size])
		all = all[r.size:]
	}
	r.sizes = make([]int, has+more)
	r.segments = make([]int, has+more)
	r.from = make([]netip.AddrPort, has+more)
	if r.tell {
		r.local = make([]netip.Addr, has+more)
	}
}

// split appends the datagrams of buffer i. A buffer with impossible sizes is dropped.
func (r *batchReader) split(pkts []Packet, i int) []Packet {
	buf, size, segment := r.bufs[i], r.sizes[i], r.segments[i]
	if size < 0 || size > len(buf) || segment < 0 {
		return pkts
	}
	var local netip.Addr
	if r.local != nil {
		local = r.local[i].Unmap()
	}
	data := buf[:size]
	if segment == 0 {
		return appendPacket(pkts, data[:min(r.limit, len(data))], r.from[i], local)
	}
	for range maxSegments {
		pkts = appendPacket(pkts, data[:min(segment, r.limit, len(data))], r.from[i], local)
		if len(data) <= segment {
			break
		}
		data = data[segment:]
	}
	return pkts
}

// A batchWriter writes to a conn that is a BatchWriter.
type batchWriter struct {
	conn  BatchWriter
	bufs  [][]byte
	to    []netip.AddrPort
	local []netip.Addr // zero between writes
}

func newBatchWriter(conn BatchWriter, cfg *Config) *batchWriter {
	n := cfg.batch()
	return &batchWriter{
		conn: conn, bufs: make([][]byte, n), to: make([]netip.AddrPort, n), local: make([]netip.Addr, n),
	}
}

func (w *batchWriter) write(pkts []Packet) (int, error) {
	pkts = pkts[:min(len(pkts), len(w.bufs))]
	count := 0
	var local []netip.Addr
	for count < len(pkts) && pkts[count].Addr.IsValid() {
		p := &pkts[count]
		w.bufs[count], w.to[count] = p.Data, p.Addr
		if p.Local.IsValid() {
			w.local[count] = p.Local
			local = w.local
		}
		count++
	}
	if count == 0 {
		return 0, errNoAddr
	}
	defer clear(w.bufs[:count]) // the packets are the caller's
	if local != nil {
		local = local[:count]
		defer clear(local)
	}
	n, err := w.conn.WriteBatch(w.bufs[:count], w.to[:count], local)
	if n = min(max(n, 0), count); n == count {
		return n, nil
	}
	return n, err
}
