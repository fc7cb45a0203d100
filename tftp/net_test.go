package tftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A stage is a server and the network that it is on, in memory. It lives in a
// synctest bubble.
type testNet struct {
	t      testing.TB
	net    *lossy.Network
	server Server
	files  *memory
	addr   netip.AddrPort

	conn *lossy.Conn
	stop context.CancelCauseFunc
	done chan error
}

// A memory is a Handler that keeps files in memory.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
	write bool
}

func newMemory() *memory { return &memory{files: make(map[string][]byte), write: true} }

func (m *memory) Open(_ context.Context, r ferry.Request) (ferry.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[r.Name]
	if !ok {
		return ferry.Source{}, fs.ErrNotExist
	}
	return ferry.Source{R: bytes.NewReader(b), Size: int64(len(b))}, nil
}

func (m *memory) Accept(r ferry.Offer) (ferry.Sink, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[r.Name]; ok {
		return nil, fs.ErrExist
	}
	if !m.write {
		return nil, fs.ErrPermission
	}
	return &memorySink{m: m, name: r.Name}, nil
}

func (m *memory) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for n := range maps.Keys(m.files) {
		names = append(names, n)
	}
	return names
}

func (m *memory) get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name]
	return b, ok
}

type memorySink struct {
	bytes.Buffer
	m    *memory
	name string
}

func (s *memorySink) Commit() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.files[s.name] = s.Bytes()
	return nil
}

func (s *memorySink) Abort(error) {}

// newTestNet prepares a server at 10.0.0.1:69.
func newTestNet(t testing.TB, options ...lossy.Option) *testNet {
	p := &testNet{t: t, net: lossy.NewNetwork(options...), files: newMemory()}
	p.addr = serverAddr
	p.conn = p.listen(p.addr)
	p.server.Opener, p.server.Handler = p.files, p.files
	p.server.ListenPacket = func(_ context.Context, a netip.AddrPort) (net.PacketConn, error) { return p.net.NewConn(a) }
	return p
}

func (p *testNet) listen(a netip.AddrPort) *lossy.Conn {
	p.t.Helper()
	c, err := p.net.NewConn(a)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// serverAddr is where a stage has its server.
var serverAddr = netip.MustParseAddrPort("10.0.0.1:69")

// clientAddr is a host that is not the server's.
var clientAddr = netip.MustParseAddrPort("10.0.0.2:0")

func (p *testNet) client() *lossy.Conn { return p.listen(clientAddr) }

func (p *testNet) start() {
	ctx, stop := context.WithCancelCause(context.Background())
	p.stop, p.done = stop, make(chan error, 1)
	go func() { p.done <- p.server.Serve(ctx, p.conn) }()
}

// end stops the server and waits for it.
func (p *testNet) end() {
	p.stop(errEnd)
	if err := <-p.done; !errors.Is(err, errEnd) {
		p.t.Errorf("Serve: %v", err)
	}
	p.conn.Close()
}

var errEnd = errors.New("the test is over")

// get reads a file with a new conn.
func (p *testNet) get(c Client, name string) ([]byte, Report, error) {
	conn := p.client()
	defer conn.Close()
	var got bytes.Buffer
	r, err := c.Get(context.Background(), conn, p.addr, name, ferry.To(&got))
	return got.Bytes(), r, err
}

// put writes one.
func (p *testNet) put(c Client, name string, data []byte) (Report, error) {
	conn := p.client()
	defer conn.Close()
	return c.Put(context.Background(), conn, p.addr, name, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
}

// noise returns bytes that repeat for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n+8)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:n:n]
}

// A failingReader yields n bytes and then fails.
type failingReader struct {
	n   int
	err error
}

func (r *failingReader) Read(b []byte) (int, error) {
	if r.n == 0 {
		return 0, r.err
	}
	n := min(r.n, len(b))
	r.n -= n
	return n, nil
}

var errBroken = errors.New("broken at /home/secret")

var _ io.Reader = (*failingReader)(nil)
