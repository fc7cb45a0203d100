package datagram

import (
	"net/netip"
)

// mostSegments is how many datagrams one buffer of a BatchReader may hold. (Linux joins
// up to 64.)
const mostSegments = 256

// A batchReader reads a conn that is a BatchReader.
type batchReader struct {
	conn       BatchReader
	max, batch int

	bufs     [][]byte
	sizes    []int
	segments []int
	from     []netip.AddrPort
}

func newBatchReader(conn BatchReader, cfg *Config) *batchReader {
	return &batchReader{conn: conn, max: cfg.readSize(), batch: cfg.batch()}
}

func (r *batchReader) read(pkts []Packet) ([]Packet, error) {
	if r.bufs == nil {
		r.bufs = buffers(r.batch, r.max+1)
		r.sizes = make([]int, r.batch)
		r.segments = make([]int, r.batch)
		r.from = make([]netip.AddrPort, r.batch)
	}
	clear(r.segments)
	n, err := r.conn.ReadBatch(r.bufs, r.sizes, r.segments, r.from)
	for i := range min(max(n, 0), r.batch) {
		pkts = r.split(pkts, i)
	}
	if len(pkts) > 0 {
		return pkts, nil
	}
	return pkts, err
}

// split appends the datagrams of buffer i. What cannot be right is dropped.
func (r *batchReader) split(pkts []Packet, i int) []Packet {
	buf, size, segment := r.bufs[i], r.sizes[i], r.segments[i]
	if size < 0 || size > len(buf) || segment < 0 {
		return pkts
	}
	data := buf[:size]
	if segment == 0 {
		return appendPacket(pkts, data, r.from[i])
	}
	for range mostSegments {
		pkts = appendPacket(pkts, data[:min(segment, len(data))], r.from[i])
		if len(data) <= segment {
			break
		}
		data = data[segment:]
	}
	return pkts
}

// buffers are n buffers of a size, in one piece of memory.
func buffers(n, size int) [][]byte {
	all := make([]byte, n*size)
	bufs := make([][]byte, n)
	for i := range bufs {
		bufs[i] = all[i*size : (i+1)*size : (i+1)*size]
	}
	return bufs
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
	if n = min(max(n, 0), count); n > 0 {
		// An error about the next packet comes again with it.
		return n, nil
	}
	return 0, err
}
