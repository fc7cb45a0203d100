package relay

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// channelServer is the usual simple server: for each client a goroutine that reads lines, and one that writes from
// a channel of limited size.
func channelServer(l net.Listener) {
	var mu sync.RWMutex
	all := make(map[int]chan []byte)
	for id := 1; ; id++ {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		out := make(chan []byte, 256)
		mu.Lock()
		all[id] = out
		mu.Unlock()
		go func() {
			for b := range out {
				if _, err := conn.Write(b); err != nil {
					break
				}
			}
			conn.Close()
			for range out { // until it is closed
			}
		}()
		go func() {
			for in := bufio.NewReader(conn); ; {
				line, err := in.ReadBytes('\n')
				if err != nil {
					break
				}
				b := fmt.Appendf(nil, "%d: %s", id, line)
				mu.RLock()
				for other, to := range all {
					if other != id {
						to <- b
					}
				}
				mu.RUnlock()
			}
			mu.Lock()
			delete(all, id)
			mu.Unlock()
			close(out)
		}()
	}
}

// ours serves l with s until the benchmark ends.
func ours(b testing.TB, s *Server, l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(ctx, l)
	}()
	b.Cleanup(func() { cancel(); <-done })
}

func listen(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t testing.TB, addr net.Addr) net.Conn {
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// floodLine is one line of a flood.
var floodLine = append(bytes.Repeat([]byte{'x'}, 63), '\n')

// A flood is a server with clients. The first client sends many lines.
type flood struct{ conns []net.Conn }

// newFlood connects some clients, and one more that never reads if deaf is set.
func newFlood(b *testing.B, clients int, serve func(net.Listener), deaf bool) flood {
	l := listen(b)
	serve(l)
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = dial(b, l.Addr())
		// What a client says arrives at all that joined before.
		introduce(b, conns[:i+1])
	}
	if deaf {
		dial(b, l.Addr())
	}
	return flood{conns}
}

// run lets the first client send lines of 64 bytes, checks that every other gets every
// line whole, with its sender, and returns how long that took.
func (f flood) run(b *testing.B, lines int) time.Duration {
	want := append([]byte("1: "), floodLine...)
	start := time.Now()
	var readers sync.WaitGroup
	var wrong atomic.Int64
	for _, c := range f.conns[1:] {
		readers.Go(func() {
			in := bufio.NewReaderSize(c, 64<<10)
			got := make([]byte, len(want))
			for range lines {
				if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, want) {
					wrong.Add(1)
					return
				}
			}
		})
	}
	out := bufio.NewWriterSize(f.conns[0], 16<<10)
	for range lines {
		out.Write(floodLine)
	}
	out.Flush()
	readers.Wait()
	if n := wrong.Load(); n > 0 {
		b.Errorf("%d clients got something else", n)
	}
	return time.Since(start)
}

// introduce waits until the last of conns has joined: it says something, and all others read it.
func introduce(t testing.TB, conns []net.Conn) {
	last := len(conns) - 1
	if last == 0 {
		return
	}
	io.WriteString(conns[last], "hi\n")
	for _, c := range conns[:last] {
		want := fmt.Sprintf("%d: hi\n", last+1)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

// BenchmarkFlood: one of 50 clients floods the others; an iteration is one line. The
// rival has a channel for each client.
func BenchmarkFlood(b *testing.B) {
	const clients = 50
	for name, serve := range map[string]func(net.Listener){
		"relay":    func(l net.Listener) { ours(b, &Server{MaxClients: -1}, l) },
		"channels": func(l net.Listener) { go channelServer(l) },
	} {
		b.Run(name, func(b *testing.B) {
			f := newFlood(b, clients, serve, false)
			b.SetBytes(int64((len(floodLine) + 3) * (clients - 1)))
			b.ReportAllocs()
			b.ResetTimer()
			took := f.run(b, b.N)
			b.ReportMetric(float64(b.N*(clients-1))/took.Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkDeaf: one of four clients floods the others. An iteration is eight seconds of that, and then eight
// seconds beside a fifth client that never reads. Other load of the machine affects both.
func BenchmarkDeaf(b *testing.B) {
	const while = 8 * time.Second
	l := listen(b)
	s := new(Server)
	ours(b, s, l)
	conns := make([]net.Conn, 4)
	for i := range conns {
		conns[i] = dial(b, l.Addr())
		introduce(b, conns[:i+1])
	}
	var delivered atomic.Int64
	var ended sync.WaitGroup
	for _, c := range conns[1:] {
		ended.Go(func() { count(b, c, &delivered) })
	}
	var enough atomic.Bool
	ended.Go(func() {
		for out := bytes.Repeat(floodLine, 256); !enough.Load(); {
			conns[0].Write(out)
		}
		conns[0].(*net.TCPConn).CloseWrite()
		for _, c := range conns[1:] {
			c.(*net.TCPConn).CloseWrite() // the server delivers the rest, and closes
		}
	})
	rate := func() float64 {
		before, start := delivered.Load(), time.Now()
		<-time.After(while)
		return float64(delivered.Load()-before) / time.Since(start).Seconds()
	}
	var without, with, ratios []float64
	for range b.N {
		a := rate()
		dial(b, l.Addr())
		c := rate()
		without, with, ratios = append(without, a/1e6), append(with, c/1e6), append(ratios, c/a)
	}
	enough.Store(true)
	ended.Wait()
	if st := s.Stats(); st.Joined != uint64(4+b.N) {
		b.Errorf("%d clients have joined, want %d", st.Joined, 4+b.N)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(without), "M/s-without")
	b.ReportMetric(median(with), "M/s-with")
	b.ReportMetric(median(ratios), "with/without")
	b.ReportMetric(slices.Min(ratios), "least")
}

// count counts the lines of a flood until the end, and checks each.
func count(b *testing.B, c net.Conn, lines *atomic.Int64) {
	want := append([]byte("1: "), floodLine...)
	in := bufio.NewReaderSize(c, 64<<10)
	for got := make([]byte, len(want)); ; lines.Add(1) {
		if _, err := io.ReadFull(in, got); err == io.EOF {
			return
		} else if err != nil || !bytes.Equal(got, want) {
			b.Errorf("got %q, %v", got, err)
			return
		}
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// BenchmarkBurst: 500 clients connect at once. The time is that until all are served.
func BenchmarkBurst(b *testing.B) {
	const clients = 500
	for b.Loop() {
		b.StopTimer()
		l := listen(b)
		joined := make(chan Client, clients)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		s := Server{MaxClients: clients, Trace: &Trace{Joined: func(c Client) { joined <- c }}}
		go func() { done <- s.Serve(ctx, l) }()
		conns := make([]net.Conn, clients)
		var dialing sync.WaitGroup
		b.StartTimer()
		for i := range conns {
			dialing.Go(func() { conns[i], _ = net.Dial("tcp", l.Addr().String()) })
		}
		for range clients {
			<-joined
		}
		b.StopTimer()
		dialing.Wait()
		cancel()
		<-done
		for _, c := range conns {
			c.Close()
		}
		b.StartTimer()
	}
}
