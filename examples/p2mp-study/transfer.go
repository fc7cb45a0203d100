package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/p2mp"
)

// A result is what one transfer took.
type result struct {
	elapsed time.Duration // from the call of Send to the last acknowledgement
	data    uint64        // DATA packets that left the sender
	chunks  uint32
}

const port = 7735

var group = netip.MustParseAddrPort("239.255.7.35:7735")

// overhead is what a packet takes on Ethernet besides UDP's payload: IPv4 and UDP headers,
// Ethernet's with its check, preamble and gap.
const overhead = 28 + 38

// transfer sends the content once, to receivers that each verify it. It is called in a
// bubble.
func transfer(w way, p point, content []byte, seed uint64) (result, error) {
	trip := []lossy.Model{lossy.Jitter(*delay-*jitter, *delay+*jitter), lossy.InOrder()}
	network := lossy.NewNetwork(append([]lossy.Option{lossy.Seed(seed)}, asOptions(trip)...)...)
	conn, err := network.NewConn(host(0))
	if err != nil {
		return result{}, err
	}
	// A conn around the sender's, and not the links, has the rate: a packet to the group
	// leaves once.
	link := lossy.Wrap(conn, lossy.Shared(lossy.RateWith(lossy.RateConfig{
		BitsPerSecond: *rate, Overhead: overhead, Packets: *queue,
	})))
	defer link.Close()

	ctx, done := context.WithCancel(context.Background())
	defer done()
	received := make(chan error)
	var to []netip.AddrPort
	for i := range p.receivers {
		at := host(i + 1)
		conn, err := network.NewConn(at)
		if err != nil {
			return result{}, err
		}
		defer conn.Close()
		// The P2MP-FTP report, "Server", point 3: packets are lost on the way to a
		// receiver. Acknowledgements arrive.
		models := append([]lossy.Model{lossy.Loss(p.loss)}, trip...)
		if err := network.SetLink(host(0).Addr(), at.Addr(), models...); err != nil {
			return result{}, err
		}
		if err := conn.JoinGroup(group.Addr()); err != nil {
			return result{}, err
		}
		to = append(to, at)
		go func() {
			v := verifier{rest: content}
			_, err := (&p2mp.Receiver{}).Receive(ctx, conn, &v)
			received <- errors.Join(err, v.check())
		}()
	}

	w.sender.MSS = p.mss
	report, err := w.sender.Send(ctx, link, to, ferry.Source{R: bytes.NewReader(content), Size: int64(len(content))})
	done() // what is complete need not linger: the sender has heard of it
	for range to {
		err = errors.Join(err, <-received)
	}
	r := result{elapsed: report.Elapsed, data: report.GroupSent, chunks: report.Chunks}
	for _, peer := range report.Peers {
		r.data += peer.Sent
	}
	return r, err
}

// host is the address of the sender, 0, or of a receiver.
func host(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 1)}), port)
}

func asOptions(models []lossy.Model) []lossy.Option {
	var options []lossy.Option
	for _, m := range models {
		options = append(options, m)
	}
	return options
}

// A verifier takes what arrives, and compares it with what was sent.
type verifier struct {
	rest []byte // not arrived yet
}

var errContent = errors.New("what arrived is not what was sent")

func (v *verifier) Write(b []byte) (int, error) {
	if !bytes.HasPrefix(v.rest, b) {
		return 0, errContent
	}
	v.rest = v.rest[len(b):]
	return len(b), nil
}

func (v *verifier) check() error {
	if len(v.rest) > 0 {
		return fmt.Errorf("%d bytes have not arrived", len(v.rest))
	}
	return nil
}

// noise is a file.
func noise(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
}
