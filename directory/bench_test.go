package directory

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

func BenchmarkParseMessage(b *testing.B) {
	p := []byte("1 10.0.0.3 80 new.txt  1 1")
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMessage(p); err != nil {
			b.Fatal(err)
		}
	}
}

// keepAlives are the updates of peers, and where they come from.
func keepAlives(peers, files int) (updates [][]byte, from []netip.AddrPort) {
	for i := range peers {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		m := Message{Type: Update, Fields: []string{ip.String(), "80"}, Seq: 1, Total: 1}
		for k := range files {
			m.Fields = append(m.Fields, "file-"+strconv.Itoa(i%1000+k))
		}
		b, err := m.MarshalBinary()
		if err != nil {
			panic(err)
		}
		updates, from = append(updates, b), append(from, netip.AddrPortFrom(ip, 8888))
	}
	return updates, from
}

// BenchmarkKeepAlive is the directory's work for an update that says nothing new,
// without its socket.
func BenchmarkKeepAlive(b *testing.B) {
	for _, files := range []int{1, 20} {
		b.Run(fmt.Sprint("files=", files), func(b *testing.B) {
			d := new(Server).newDispatcher(hall)
			updates, from := keepAlives(10_000, files)
			now := time.Now()
			for i := range updates {
				d.arrived(now, from[i], updates[i])
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				d.begin()
				d.arrived(now, from[i], updates[i])
				if i++; i == len(updates) {
					i = 0
				}
			}
			if d.stats.Unexpected+d.stats.Refused > 0 || len(d.out) != 1 {
				b.Fatal("not a keep-alive")
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	r := newRegistry(time.Hour, registryLimits{1e6, 1e6, 1e7})
	now := time.Now()
	for i := range 10_000 {
		ip := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		r.put(now, netip.AddrPortFrom(ip, 80), fmt.Appendf(nil, "file-%d popular ", i%1000))
	}
	var found []netip.AddrPort
	b.ReportAllocs()
	for b.Loop() {
		found = r.lookup(now, "popular", 50, found[:0])
	}
}

// BenchmarkServer is keep-alives through real sockets, a window at a time; the time is
// that of both sides.
// BenchmarkView: of a directory that holds more than an answer does, for an address that
// has proved nothing.
func BenchmarkView(b *testing.B) {
	for _, request := range []string{"4 some-key  1 1", "4  1 1"} {
		b.Run(fmt.Sprintf("%d bytes", len(request)), func(b *testing.B) {
			d := (&Server{AnyAddress: true}).newDispatcher(hall)
			from := netip.MustParseAddrPort(h2)
			for i := range 3000 {
				d.begin()
				d.arrived(epoch, from, fmt.Appendf(nil, "1 10.0.%d.%d 80 file%d.txt  1 1", i>>8, i&255, i))
			}
			b.ReportAllocs()
			now := epoch
			for b.Loop() {
				now = now.Add(time.Millisecond)
				d.begin()
				d.arrived(now, from, []byte(request))
				d.close(d.sessions[from])
			}
		})
	}
}

func BenchmarkServer(b *testing.B) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer pc.Close()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		new(Server).Serve(ctx, pc)
	}()
	client, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	c := datagram.Open(ctx, client, datagram.Config{ReadSize: 2048, Batch: 64})
	const window = 64
	packets := make([]datagram.Packet, window)
	for i := range packets {
		packets[i] = datagram.Packet{Data: fmt.Appendf(nil, "1 127.0.0.1 %d new.txt  1 1", 1000+i), Addr: addrOf(pc)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(packets); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < window; {
			in, err := c.Read(time.Now().Add(time.Second))
			if err != nil {
				b.Fatal(err)
			}
			got += len(in)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/window, "ns/update")
	stop()
	<-done
	c.Release()
}

// BenchmarkServeFile serves a file of 64 MiB over loopback; the reader throws it away.
func BenchmarkServeFile(b *testing.B) {
	const size = 64 << 20
	src := serve(b, sharing(b, map[string][]byte{"f": noise(1, size)}))
	url := "http://" + src.Addr.String() + "/f"
	b.SetBytes(size)
	for b.Loop() {
		resp, err := http.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		conn := resp.Body
		buf := make([]byte, 1<<20)
		for n := 0; n < size; {
			k, err := conn.Read(buf)
			if n += k; err != nil && n < size {
				b.Fatal(err)
			}
		}
		conn.Close()
	}
}

// TestMemory: 10,000 peers with 100 of 200,000 names each take at most 64 bytes for
// each file of each peer.
func TestMemory(t *testing.T) {
	if raced {
		t.Skip("the race detector takes memory of its own")
	}
	const peers, each, names = 10_000, 100, 200_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r := newRegistry(time.Hour, registryLimits{DefaultMaxPeers, DefaultMaxFiles, DefaultMaxEntries})
	now := time.Now()
	for i := range peers {
		var files []byte
		for k := range each {
			files = fmt.Appendf(files, "a-file-called-%d ", (i*each+k*7919)%names)
		}
		ip := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if _, ok := r.put(now, netip.AddrPortFrom(ip, 80), files); !ok {
			t.Fatal("refused")
		}
	}
	per := float64(heap()-before) / (peers * each)
	t.Logf("%.1f bytes for each of %d entries, %d names", per, r.entries, len(r.names.ids))
	if per > 64 || r.entries != peers*each || len(r.names.ids) != names {
		t.Errorf("%.1f bytes for each entry (of %d, with %d names), want at most 64", per, r.entries, len(r.names.ids))
	}
	runtime.KeepAlive(r)
}
