package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/tftp"
)

// A method is a way to deliver the file.
type method struct {
	name     string
	strategy tftp.Strategy
	window   int // RFC 7440's, where the protocol is plain TFTP; 0: the assignment's
}

// A delivery is what happened to one file.
type delivery struct {
	took       time.Duration // from the request's arrival until the client has all
	data, acks int           // sent, up to the end of the transfer
	total      int           // packets of any kind
	delivered  int
}

var (
	serverAddr = netip.MustParseAddrPort("10.0.0.1:6900")
	clientAddr = netip.MustParseAddrPort("10.0.0.2:0")
	errOver    = errors.New("over")
)

// A file is an Opener of one file.
type file []byte

func (f file) Open(context.Context, ferry.Request) (ferry.Source, error) {
	return ferry.Source{R: bytes.NewReader(f), Size: int64(len(f))}, nil
}

// deliver runs one transfer, from a server to a client, each as anybody would use it.
// It is called in a bubble.
func deliver(m method, f file, seed uint64, readings []lossy.Reading) (delivery, error) {
	var d delivery
	var asked time.Time
	network := lossy.NewNetwork(lossy.Seed(seed), lossy.Assignment(readings...), lossy.WithTrace(&lossy.Trace{
		Judged: func(e lossy.Event) {
			if e.Verdict != lossy.Dropped {
				d.delivered++
			}
			d.total++
			switch tftp.Opcode(e.Payload[1]) {
			case tftp.DATA:
				d.data++
			case tftp.ACK:
				d.acks++
			}
		},
	}))
	listen := func(_ context.Context, a netip.AddrPort) (net.PacketConn, error) { return network.NewConn(a) }
	server := tftp.Server{
		Opener: f, ListenPacket: listen, Wide: m.window == 0, Strategy: m.strategy,
		GiveUp: time.Hour,
		Trace: &tftp.Trace{Accepted: func(tftp.TransferEvent) {
			if asked.IsZero() {
				asked = time.Now()
			}
		}},
	}
	client := tftp.Client{
		Wide: m.window == 0, BlockSize: -1, WindowSize: -1, GiveUp: time.Hour, Linger: 20 * time.Second,
		Trace: &tftp.Trace{Received: func(e tftp.PacketEvent) {
			if d.took == 0 && e.Total == int64(len(f)) {
				d.took = time.Since(asked)
			}
		}},
	}
	if m.window > 1 {
		client.WindowSize = m.window
	}

	at, err := network.NewConn(serverAddr)
	if err != nil {
		return d, err
	}
	conn, err := network.NewConn(clientAddr)
	if err != nil {
		return d, err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	served := make(chan error)
	go func() { served <- server.Serve(ctx, at) }()
	report, err := client.Get(ctx, conn, serverAddr, "words.txt", ferry.To(io.Discard))
	if err == nil && report.Bytes != int64(len(f)) {
		err = fmt.Errorf("%d bytes arrived, not %d", report.Bytes, len(f))
	}
	stop(errOver)
	<-served
	at.Close()
	conn.Close()
	return d, err
}
