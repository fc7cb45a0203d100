package tftp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// TestSameRequestTwice is one transfer, and so are four.
func TestSameRequestTwice(t *testing.T) {
	for _, single := range []bool{false, true} {
		withServer(t, 2000, func(p *testNet) { p.server.SinglePort = single }, func(p *testNet, u *manualPeer) {
			for range 4 {
				u.packet(p.addr, rrq())
			}
			from := u.expect(ms, false, "DATA 1")
			u.packet(p.addr, rrq())
			u.expect(ms, false)
			u.packet(from, Packet{Op: ACK, Block: 1})
			u.expect(ms, false, "DATA 2")
			u.packet(p.addr, rrq()) // late, by the network
			u.expect(ms, false)
			if single != (from == p.addr) {
				t.Errorf("single port %v: answers come from %v", single, from)
			}
		})
	}
}

// TestAnotherRequestFromThePort begins another transfer and ends the one before.
func TestAnotherRequestFromThePort(t *testing.T) {
	withServer(t, 2000, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		old := u.expect(ms, false, "DATA 1")
		u.packet(p.addr, rrq(Option{"tsize", "0"}))
		u.expect(ms, false, "OACK[{tsize 2000}]")
		u.packet(old, Packet{Op: ACK, Block: 1})
		u.expect(ms, false)
	})
}

// TestUnprovenAddress: at most three packets and 4 KB go to an address that has not
// answered.
func TestUnprovenAddress(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wide    bool
		request Packet
	}{
		{"DATA", false, rrq()},
		{"OACK", false, rrq(Option{"blksize", "1400"}, Option{"windowsize", "16"})},
		{"wide DATA", true, rrq()},
		{"wide OACK", true, rrq(Option{"blksize", "1400"})},
		{"ACK", false, Packet{Op: WRQ, Name: "new", Mode: "octet"}},
		{"write OACK", false, Packet{Op: WRQ, Name: "new", Mode: "octet", Options: []Option{{"tsize", "5"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var over time.Time
			var failed error
			withServer(t, 100_000, func(p *testNet) {
				p.server.Wide = tt.wide
				p.server.Trace = &Trace{Finished: func(e TransferEvent) { over, failed = time.Now(), e.Err }}
			}, func(p *testNet, u *manualPeer) {
				start := time.Now()
				u.packet(p.addr, tt.request)
				said, _ := u.within(time.Minute, tt.wide)
				if len(said) != 3 {
					t.Errorf("%d packets: %q", len(said), said)
				}
				if after := over.Sub(start).Round(ms); !errors.Is(failed, ferry.ErrNoAnswer) || after != DefaultServerGiveUp/3 {
					t.Errorf("over after %v: %v", after, failed)
				}
			})
		})
	}
}

// TestUnprovenAddressAsksAgain: then it gets another three, but only if it has had the
// first: what the network doubles earns nothing.
func TestUnprovenAddressAsksAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		request Packet
		want    string
	}{
		"DATA": {rrq(), "DATA 1"},
		"OACK": {rrq(Option{"tsize", "0"}), "OACK[{tsize 100}]"},
		"ACK":  {Packet{Op: WRQ, Name: "new", Mode: "octet"}, "ACK 0"},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, 100, nil, func(p *testNet, u *manualPeer) {
				u.packet(p.addr, tt.request)
				u.packet(p.addr, tt.request)
				u.expect(ms, false, tt.want)
				u.packet(p.addr, tt.request)
				u.expect(5*time.Second, false, tt.want, tt.want)
				u.packet(p.addr, tt.request)
				if said, _ := u.within(5*time.Second, false); len(said) < 1 || len(said) > 3 {
					t.Errorf("%q", said)
				}
			})
		})
	}
}

// TestBadRequests get the right code, and nothing about the machine.
func TestBadRequests(t *testing.T) {
	name := func(s string) []byte { return append([]byte("\x00\x01"+s), "\x00octet\x00"...) }
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"not there", name("nonsuch"), "ERROR 1"},
		{"mode", []byte("\x00\x01file\x00mail\x00"), "ERROR 4"},
		{"no mode", []byte("\x00\x01file\x00"), "ERROR 4"},
		{"no name", []byte("\x00\x01file"), "ERROR 4"},
		{"long", name(strings.Repeat("x", 10_000)), "ERROR 4"},
		{"half an option", []byte("\x00\x01file\x00octet\x00blksize\x00"), "DATA 1"},
		{"half an option behind another", []byte("\x00\x01file\x00octet\x00blksize\x00600\x00tsize\x00"), "OACK[{blksize 600}]"},
		{"an option that does not end", []byte("\x00\x01file\x00octet\x00blksize\x00600\x00tsize\x000"), "OACK[{blksize 600}]"},
		{"an option without a name", []byte("\x00\x01file\x00octet\x00blksize\x00600\x00\x000\x00"), "OACK[{blksize 600}]"},
		{"exists", []byte("\x00\x02file\x00octet\x00"), "ERROR 6"},
		{"NETASCII", []byte("\x00\x01file\x00NetASCII\x00"), "DATA 1"},
		{"OCTET", []byte("\x00\x01file\x00OCTET\x00"), "DATA 1"},
		{"padded", []byte("\x00\x01file\x00octet\x00\x00\x00\x00"), "DATA 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, single := range []bool{false, true} {
				withServer(t, 2000, func(p *testNet) {
					p.server.SinglePort, p.server.MTU = single, 65535
				}, func(p *testNet, u *manualPeer) {
					u.send(p.addr, tt.b)
					u.expect(ms, false, tt.want)
				})
			}
		})
	}
}

// TestFiftyOptions: those that are known are answered, the first of a name, the others
// ignored.
func TestFiftyOptions(t *testing.T) {
	withServer(t, 2000, nil, func(p *testNet, u *manualPeer) {
		options := []Option{{"BLKSIZE", "700"}, {"blksize", "9"}}
		for i := range 48 {
			options = append(options, Option{fmt.Sprint("x", i), "y"})
		}
		u.packet(p.addr, rrq(options...))
		u.expect(ms, false, "OACK[{BLKSIZE 700}]")
	})
}

// TestProbe: a client that learns the size and ends with error 8 has failed at nothing.
func TestProbe(t *testing.T) {
	var report Report
	got := errBroken
	withServer(t, 2000, func(p *testNet) {
		p.server.Trace = &Trace{Finished: func(e TransferEvent) { report, got = e.Report, e.Err }}
	}, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq(Option{"tsize", "0"}))
		from := u.expect(ms, false, "OACK[{tsize 2000}]")
		u.packet(from, Packet{Op: ERROR, Code: CodeOption, Message: "thanks"})
		u.expect(time.Minute, false)
	})
	if got != nil || !report.Probe {
		t.Errorf("%+v, error %v", report, got)
	}
}

// TestSameWriteTwice: after the last ACK the same request is a new one. The old transfer still
// repeats its last ACK if it has another port.
func TestSameWriteTwice(t *testing.T) {
	for _, single := range []bool{false, true} {
		withServer(t, 0, func(p *testNet) { p.server.SinglePort = single }, func(p *testNet, u *manualPeer) {
			wrq := Packet{Op: WRQ, Name: "new", Mode: "octet"}
			u.packet(p.addr, wrq)
			from := u.expect(ms, false, "ACK 0")
			last := Packet{Op: DATA, Block: 1, Payload: []byte("x")}
			u.packet(from, last)
			u.expect(ms, false, "ACK 1")
			u.packet(from, last)
			u.expect(ms, false, "ACK 1")
			u.packet(p.addr, wrq)
			u.expect(ms, false, "ERROR 6") // the file is there
			if !single {
				u.packet(from, last)
				u.expect(ms, false, "ACK 1")
			}
		})
	}
}

// TestSizeAnnouncedTwice: the first size counts.
func TestSizeAnnouncedTwice(t *testing.T) {
	var size int64
	withServer(t, 0, func(p *testNet) {
		p.server.Trace = &Trace{Accepted: func(e TransferEvent) { size = e.Request.Size }}
	}, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet", Options: []Option{{"TSize", "5"}, {"tsize", "7"}}})
		u.expect(ms, false, "OACK[{TSize 5}]")
	})
	if size != 5 {
		t.Errorf("the handler was told %d bytes", size)
	}
}

// TestUnprovenAddressAtTheEnd: not even the ERROR of a server that ends comes after the
// three packets.
func TestUnprovenAddressAtTheEnd(t *testing.T) {
	for after, want := range map[time.Duration]string{ms: "ERROR 0", 5 * time.Second: ""} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestNet(t)
			p.files.files["file"] = noise(1, 100)
			p.start()
			u := p.manualPeer()
			u.packet(p.addr, rrq())
			u.within(after, false)
			p.end()
			if said, _ := u.within(ms, false); strings.Join(said, "; ") != want {
				t.Errorf("after %v: %q", after, said)
			}
			u.conn.Close()
		})
	}
}

// TestWindowFitsTheQueue: in single-port mode the queue of a transfer bounds the window of a
// write.
func TestWindowFitsTheQueue(t *testing.T) {
	for single, want := range map[bool]string{false: "200", true: "128"} {
		withServer(t, 0, func(p *testNet) {
			p.server.SinglePort, p.server.MaxWindow = single, 500
		}, func(p *testNet, u *manualPeer) {
			u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet", Options: []Option{{"windowsize", "200"}, {"blksize", "8"}}})
			u.expect(ms, false, "OACK[{windowsize "+want+"} {blksize 8}]")
		})
	}
}
