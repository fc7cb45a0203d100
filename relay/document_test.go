package relay

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

// These tests follow the questions of CSCI 351 project 4, with the document's clients and servers: plain sockets,
// recv(1024), no newlines, the word "exit".

// recv is one recv(1024); at the end of the data it is empty.
func recv(t testing.TB, conn net.Conn) string {
	t.Helper()
	buf := make([]byte, 1024)
	n, err := conn.Read(buf)
	if err != nil && err != io.EOF {
		t.Errorf("recv: %v", err)
	}
	return string(buf[:n])
}

func send(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Error(err)
	}
}

func TestQuestion1(t *testing.T) {
	l := listen(t)
	var s Server
	ours(t, &s, l)
	var clients []net.Conn
	for range 5 {
		clients = append(clients, dial(t, l.Addr()))
	}
	send(t, clients[4], "hello")
	for _, c := range clients[:4] {
		if got := recv(t, c); got != "5: hello\n" {
			t.Errorf("received %q, want %q", got, "5: hello\n")
		}
	}
	sixth := dial(t, l.Addr())
	if got := recv(t, sixth) + recv(t, sixth); got != "* full: at most 5 clients\n" {
		t.Errorf("the sixth received %q", got)
	}
	send(t, clients[0], "exit")
	if got := recv(t, clients[0]); got != "" {
		t.Errorf("after exit: %q", got)
	}
	send(t, clients[1], "bye")
	for _, c := range clients[2:] {
		if got := recv(t, c); got != "2: bye\n" {
			t.Errorf("received %q, want %q", got, "2: bye\n")
		}
	}
}

// A plainServer is the server of "TCP Server in Python".
type plainServer struct {
	net.Listener
	handlers sync.WaitGroup
	mu       sync.Mutex
	received []string // by all handlers
	ended    int      // by exit or the end of the data
}

func newPlainServer(t *testing.T) *plainServer {
	s := &plainServer{Listener: listen(t)}
	go func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			s.handlers.Go(func() { s.handle(t, conn) })
		}
	}()
	return s
}

func (s *plainServer) handle(t *testing.T, conn net.Conn) {
	defer conn.Close()
	for {
		data := recv(t, conn)
		s.mu.Lock()
		if data == "" || data == exit {
			s.ended++
			s.mu.Unlock()
			return
		}
		s.received = append(s.received, data)
		s.mu.Unlock()
	}
}

// TestQuestion2: a word reaches the server through one, two and three forwarders, and
// an answer comes back.
func TestQuestion2(t *testing.T) {
	for hops := 1; hops <= 3; hops++ {
		server := listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		var forwarders sync.WaitGroup
		to := server.Addr()
		for range hops {
			to = startForwarder(ctx, t, &forwarders, &Forwarder{}, to)
		}
		client := dial(t, to)
		// The first forwarder connected before there was a client.
		atServer, err := server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		send(t, client, "word")
		if got := recv(t, atServer); got != "word" {
			t.Errorf("%d hops: the server received %q", hops, got)
		}
		send(t, atServer, "answer")
		if got := recv(t, client); got != "answer" {
			t.Errorf("%d hops: the client received %q", hops, got)
		}
		client.Close()
		if got := recv(t, atServer); got != "" {
			t.Errorf("%d hops: after the end the server received %q", hops, got)
		}
		cancel()
		forwarders.Wait()
		server.Close()
	}
}

// startForwarder starts a forwarder, and returns its address when it listens.
func startForwarder(ctx context.Context, t testing.TB, all *sync.WaitGroup, f *Forwarder, to net.Addr) net.Addr {
	at := make(chan net.Addr, 1)
	f.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		l, err := (&net.ListenConfig{}).Listen(ctx, network, address)
		if err == nil {
			at <- l.Addr()
		}
		return l, err
	}
	all.Go(func() {
		if err := f.ListenAndForward(ctx, "127.0.0.1:0", to.String()); ctx.Err() == nil {
			t.Errorf("ListenAndForward: %v", err)
			close(at)
		}
	})
	return <-at
}

// TestQuestion3: two TCP clients join the plain server and talk to each other over UDP,
// until one says exit.
func TestQuestion3(t *testing.T) {
	server := newPlainServer(t)
	type party struct {
		say   chan string
		heard []string
		err   error
	}
	parties := []*party{{say: make(chan string)}, {say: make(chan string)}}
	var conns []net.PacketConn
	var addrs []netip.AddrPort
	for range parties {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		addrs = append(addrs, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	var running sync.WaitGroup
	for i, p := range parties {
		tcp := dial(t, server.Addr())
		running.Go(func() {
			_, p.err = (&Peer{}).Run(t.Context(), tcp, conns[i], addrs[1-i], p.say, func(m Message) { p.heard = append(p.heard, m.Text) })
			tcp.Close()
		})
	}
	parties[0].say <- "hello from a"
	parties[1].say <- "hello from b"
	parties[0].say <- "how are you"
	parties[1].say <- exit
	running.Wait()
	server.handlers.Wait()
	for i, p := range parties {
		if p.err != nil {
			t.Errorf("peer %d: %v", i, p.err)
		}
	}
	if got := parties[0].heard; !slices.Equal(got, []string{"hello from b"}) {
		t.Errorf("a heard %q", got)
	}
	if got := parties[1].heard; !slices.Equal(got, []string{"hello from a", "how are you"}) {
		t.Errorf("b heard %q", got)
	}
	// TCP may join messages that follow each other quickly.
	all := strings.Join(server.received, "")
	for _, want := range []string{"hello from a", "hello from b", "how are you"} {
		if strings.Count(all, want) != 1 {
			t.Errorf("the server received %q, want %q once", server.received, want)
		}
	}
	if server.ended != 2 {
		t.Errorf("%d connections ended, want 2", server.ended)
	}
}

// TestAddressIsUsedAgain: a server can listen again at once at the same port, while old connections are in
// TIME_WAIT (SO_REUSEADDR in "TCP Server in Python").
func TestAddressIsUsedAgain(t *testing.T) {
	addr := "127.0.0.1:0"
	for range 3 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		addr = l.Addr().String()
		said := make(chan Client, 2)
		s := Server{Trace: &Trace{Message: func(c Client, _ []byte) { said <- c }}}
		ended := make(chan error)
		go func() { ended <- s.Serve(t.Context(), l) }()
		a := dial(t, l.Addr())
		send(t, a, "exit")
		recv(t, a)
		b := dial(t, l.Addr())
		send(t, b, "x")
		<-said
		<-said // it is served, and so is closed by the server first
		s.Close()
		<-ended
		l.Close()
	}
}
