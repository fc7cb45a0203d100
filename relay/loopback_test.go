package relay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// leaks returns a function that fails the test if there are more goroutines or
// descriptors than now.
func leaks(t *testing.T) (check func()) {
	count := func() (goroutines, descriptors int) {
		fds, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
		return runtime.NumGoroutine(), len(fds)
	}
	goroutines, descriptors := count()
	return func() {
		t.Helper()
		var g, d int
		for range 100 {
			// The garbage collector closes the pipes that the net package uses for splice.
			runtime.GC()
			runtime.Gosched()
			// The runtime starts and ends some goroutines; a leak leaves more.
			if g, d = count(); g <= goroutines+5 && d <= descriptors+5 {
				return
			}
		}
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
	}
}

// TestFlood: all clients speak as fast as they can. Every delivery is whole and labelled, and those of one client are in
// order.
func TestFlood(t *testing.T) {
	const clients, messages = 8, 500
	l := listen(t)
	ours(t, &Server{MaxClients: clients, Slow: Wait}, l)
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = dial(t, l.Addr())
		introduce(t, conns[:i+1])
	}
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			out := bufio.NewWriter(c)
			for n := range messages {
				fmt.Fprintf(out, "%d says %d\n", i+1, n)
			}
			out.Flush()
		})
		all.Go(func() {
			in := bufio.NewReader(c)
			next := make([]int, clients+1)
			for range (clients - 1) * messages {
				line, err := in.ReadString('\n')
				var id, said, n int
				if _, errScan := fmt.Sscanf(line, "%d: %d says %d\n", &id, &said, &n); err != nil || errScan != nil || id != said || n != next[id] {
					t.Errorf("client %d: %q, %v", i+1, line, err)
					return
				}
				next[id]++
			}
		})
	}
	all.Wait()
}

// A smallBuffers is a listener whose connections have small send buffers.
type smallBuffers struct{ *net.TCPListener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return c, c.SetWriteBuffer(16 << 10)
}

// TestDeafClient: one client never reads; the others get everything. SlowTimeout is a second: on a busy machine a client
// may need more than the default to read 16 KiB.
func TestDeafClient(t *testing.T) {
	const lines, width = 3000, 1000 // more bytes than the socket buffers of both sides hold
	gone := make(chan error, 10)
	l := smallBuffers{listen(t).(*net.TCPListener)}
	ours(t, &Server{Queue: 64 << 10, SlowTimeout: time.Second, Trace: &Trace{
		Left: func(_ Client, _ ClientReport, err error) { gone <- err },
	}}, l)
	conns := make([]net.Conn, 4)
	for i := range conns {
		conns[i] = dial(t, l.Addr())
		introduce(t, conns[:i+1])
	}
	deaf := dial(t, l.Addr()) // never reads
	deaf.(*net.TCPConn).SetReadBuffer(4 << 10)
	var readers sync.WaitGroup
	for _, c := range conns[1:] {
		readers.Go(func() {
			in := bufio.NewScanner(c)
			for n := 0; n < lines && in.Scan(); n++ {
				if want := fmt.Sprintf("1: %0*d", width, n); in.Text() != want {
					t.Errorf("got %q, want %q", in.Text(), want)
					return
				}
			}
		})
	}
	out := bufio.NewWriter(conns[0])
	for n := range lines {
		fmt.Fprintf(out, "%0*d\n", width, n)
	}
	out.Flush()
	readers.Wait()
	if err := <-gone; !errors.Is(err, ErrSlow) {
		t.Errorf("the deaf client left with %v, want ErrSlow", err)
	}
	// The system has dropped the unread data.
	if _, err := io.Copy(io.Discard, deaf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the deaf client begins to read, and its connection ends with %v", err)
	}
}

// TestThousandConnects: five clients are served, all others are told why not, and nothing leaks.
func TestThousandConnects(t *testing.T) {
	check := leaks(t)
	t.Run("", func(t *testing.T) {
		l := listen(t)
		var s Server
		ours(t, &s, l)
		conns := make([]net.Conn, 1000)
		for i := range conns {
			conns[i] = dial(t, l.Addr())
			if i%2 == 1 {
				send(t, conns[i], "let me in") // must not turn the answer into a reset
			}
		}
		for i, c := range conns[5:] {
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if got, err := io.ReadAll(c); string(got) != "* full: at most 5 clients\n" || err != nil {
				t.Fatalf("client %d received %q, %v", i+6, got, err)
			}
			c.Close()
		}
		if st := s.Stats(); st.Joined != 5 || st.Refused != 995 {
			t.Errorf("Stats() = %+v", st)
		}
	})
	check()
}

// TestBadClients: resets within a line, binary data, endless lines and silent connections do not affect a good
// client.
func TestBadClients(t *testing.T) {
	check := leaks(t)
	t.Run("", func(t *testing.T) {
		l := listen(t)
		ours(t, &Server{MaxClients: -1, MaxMessage: 1000, Slow: Wait}, l)
		listener := dial(t, l.Addr())
		speaker := dial(t, l.Addr())
		var bad sync.WaitGroup
		for i := range 60 {
			bad.Go(func() {
				c := dial(t, l.Addr())
				switch i % 4 {
				case 0:
					io.WriteString(c, "a line\nhalf a li")
					c.(*net.TCPConn).SetLinger(0)
				case 1:
					c.Write(bytes.Repeat([]byte{0, 0xff, '\n', '\r'}, 100))
				case 2:
					c.Write([]byte("\n"))
					io.Copy(c, io.LimitReader(neverEnding('x'), 1<<20))
				}
				c.Close()
			})
		}
		bad.Wait()
		send(t, speaker, "the end\n")
		in := bufio.NewReader(listener)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, "half") {
				t.Errorf("what was reset in mid-line was delivered: %q", line)
			}
			if line == "2: the end\n" {
				break
			}
		}
	})
	check()
}

// TestHugeMessage: 100 MB without a newline. As a line it is too long, and its sender is told so and disconnected.
// As chunks it arrives complete, in labelled pieces.
func TestHugeMessage(t *testing.T) {
	const size = 100 << 20 / thorough
	for _, framing := range []Framing{Line, Chunk} {
		t.Run(framing.String(), func(t *testing.T) {
			l := listen(t)
			s := &Server{Framing: framing, SlowTimeout: time.Minute}
			ours(t, s, l)
			listener, speaker := dial(t, l.Addr()), dial(t, l.Addr())
			told := make(chan string, 1)
			go func() {
				words, _ := io.ReadAll(speaker)
				told <- string(words)
			}()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				io.Copy(speaker, io.LimitReader(neverEnding('x'), size))
				speaker.(*net.TCPConn).CloseWrite()
			}()
			if framing == Line {
				if words := <-told; words != "* message longer than 65536 bytes\n" {
					t.Errorf("the speaker was told %q", words)
				}
				<-sent
				return
			}
			in := bufio.NewReaderSize(listener, 1<<20)
			for got := 0; got < size; {
				line, err := in.ReadSlice('\n')
				text, labelled := bytes.CutPrefix(line, []byte("2: "))
				if n := bytes.Count(text, []byte("x")); err != nil || !labelled || n != len(text)-1 || n > DefaultMaxMessage {
					t.Fatalf("after %d bytes: %d bytes, %v", got, len(line), err)
				}
				got += len(text) - 1
			}
			<-sent
			if words := <-told; words != "" {
				t.Errorf("the speaker was told %q", words)
			}
		})
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// TestQueueMemory: the memory of clients that do not read is limited by Queue.
func TestQueueMemory(t *testing.T) {
	const deaf, queue = 20, 1 << 20
	l := listen(t)
	joined := make(chan Client, deaf+1)
	s := &Server{MaxClients: -1, Queue: queue, Slow: DropOldest, WriteTimeout: -1, Trace: &Trace{
		Joined: func(c Client) { joined <- c },
	}}
	ours(t, s, l)
	speaker := dial(t, l.Addr())
	for range deaf {
		dial(t, l.Addr())
	}
	for range deaf + 1 {
		<-joined
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	// One write for each line: deliveries of one line have the largest overhead.
	line := []byte(strings.Repeat("x", 99) + "\n")
	for range 100_000 {
		speaker.Write(line)
	}
	send(t, speaker, "exit\n")
	recv(t, speaker)
	runtime.GC()
	runtime.ReadMemStats(&after)
	// All queues share the bytes of a delivery.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2*deaf*queue {
		t.Errorf("the heap grew by %d bytes, the queues may hold %d", grown, deaf*queue)
	}
	if s.Stats().Lost == 0 {
		t.Error("nothing was lost, so no queue was full")
	}
}
