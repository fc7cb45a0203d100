package examples

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/ferrygo/ferry/multicast"
)

// loopback is the name of the loopback interface, which these tests do not leave.
func loopback(t *testing.T) string {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range all {
		if ifi.Flags&net.FlagLoopback != 0 {
			return ifi.Name
		}
	}
	t.Skip("no loopback interface")
	return ""
}

// freePort is a UDP port that several programs may share.
func freePort(t *testing.T) string {
	conn, err := (&multicast.Config{}).Listen(netip.MustParseAddrPort("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

// CSCI 351 project 4, "Multicasting in Python": a sender and receivers in programs of
// their own, in the document's group, and one in another group that hears nothing.
func TestMulticast(t *testing.T) {
	lo, port := loopback(t), freePort(t)
	document, other := "224.1.1.1:"+port, "239.255.7.7:"+port
	var receivers []*program
	for _, group := range []string{document, document, other} {
		p := start(t, "mcast-recv", "-v", "-iface", lo, "-group", group, "-n", "2")
		if group == document {
			p.expect(p.stderr, `224\.1\.1\.1 is in a reserved block \(RFC 5771\)`)
		}
		p.expect(p.stderr, `receiving at .*:`+port)
		receivers = append(receivers, p)
	}
	for _, args := range [][]string{{"-group", document, "hello", "there \x1b"}, {"-group", other, "one", "two"}} {
		if _, stderr, status := run(t, "mcast-send", append([]string{"-iface", lo, "-ttl", "2"}, args...)...); status != 0 || stderr != "" {
			t.Fatalf("mcast-send: status %d, %q", status, stderr)
		}
	}
	for i, p := range receivers {
		want := []string{"hello", "there \ufffd"}
		if i == 2 {
			want = []string{"one", "two"}
		}
		for _, text := range want {
			p.expect(p.stderr, `from .* to .* on `+lo+`, TTL 2`)
			p.expect(p.stdout, text)
		}
		p.ends(0)
	}
}

func TestMulticastInput(t *testing.T) {
	lo, port := loopback(t), freePort(t)
	p := start(t, "mcast-recv", "-v", "-iface", lo, "-group", "239.255.7.7:"+port)
	p.expect(p.stderr, `receiving at .*`)
	s := start(t, "mcast-send", "-v", "-iface", lo, "-ttl", "0", "-group", "239.255.7.7:"+port)
	s.in.Write([]byte("a line\n"))
	s.expect(s.stderr, `sent "a line" to 239\.255\.7\.7:`+port)
	p.expect(p.stdout, "a line")
	s.in.Close()
	s.ends(0)
	p.stop()
}

// A line that is too long is reported, and the lines after it are sent.
func TestMulticastLongLine(t *testing.T) {
	s := start(t, "mcast-send", "-v", "-iface", loopback(t), "-ttl", "0", "-group", "239.255.7.7:"+freePort(t))
	s.in.Write([]byte("a line\n"))
	s.expect(s.stderr, `sent "a line" to .*`)
	s.in.Write([]byte(strings.Repeat("x", 70_000) + "\nanother\n"))
	s.expect(s.stderr, `standard input: .* too long`)
	s.ends(1)
}

// CSCI 351 project 4, "Broadcasting".
func TestBroadcast(t *testing.T) {
	port := freePort(t)
	p := start(t, "mcast-recv", "-v", "-group", "0.0.0.0:"+port, "-n", "1")
	p.expect(p.stderr, `receiving at .*`)
	if _, stderr, status := run(t, "mcast-send", "-group", "127.255.255.255:"+port, "to all"); status != 0 {
		t.Fatal(stderr)
	}
	p.expect(p.stdout, "to all")
	p.ends(0)
}

func TestMulticastMistakes(t *testing.T) {
	for _, tt := range []struct {
		command string
		status  int
		want    string
	}{
		{"mcast-send -group 239.1.1.1 x", 2, "-group 239.1.1.1: want ADDR:PORT"},
		{"mcast-send -ttl 256 x", 2, "-ttl 256: want 0 to 255"},
		{"mcast-send -iface nonsuch0 x", 1, "interface nonsuch0: no interface has this name"},
		{"mcast-send -group 192.0.2.3:9 x", 2, "not a multicast group, and not a broadcast address"},
		{"mcast-send -group [2001:db8::1]:9 x", 2, "not a multicast group, and not a broadcast address"},
		{"mcast-send -group [ff12::1%nonsuch0]:9 x", 1, "interface nonsuch0: no interface has this name"},
		{"mcast-recv -group 192.0.2.3:9", 2, "not a multicast group, not 0.0.0.0, and not a broadcast address"},
		{"mcast-recv -group [ff12::1%nonsuch0]:9", 1, "interface nonsuch0: no interface has this name"},
		{"mcast-send -group 224.0.0.1:9 x", 1, "reserved for control protocols"},
		{"mcast-send -ttl 0 -loopback=false x", 1, "reaches no receiver"},
		{"mcast-recv x", 2, "no arguments"},
		{"mcast-recv -group nowhere", 2, "want -group ADDR:PORT"},
		{"mcast-recv -source 1.2.3.4 -group 0.0.0.0:9", 2, "want an address, and a group"},
		{"mcast-recv -group 232.1.1.1:0", 1, "needs a source"},
		{"mcast-recv -iface nonsuch0", 1, "interface nonsuch0"},
	} {
		args := strings.Fields(tt.command)
		_, stderr, status := run(t, args[0], args[1:]...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: status %d, %q; want %d, %q", tt.command, status, stderr, tt.status, tt.want)
		}
	}
	for _, name := range []string{"mcast-send", "mcast-recv"} {
		_, stderr, status := run(t, name, "-h")
		if status != 0 || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "-v") {
			t.Errorf("%s -h: status %d, %q", name, status, stderr)
		}
	}
}
