package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/p2mp"
	"github.com/quic-go/quic-go"
)

// transferSize is what the transfers below move.
const transferSize = 256 << 20

// BenchmarkTransfer races p2mp and a quic-go stream: 256 MiB from memory to memory over
// loopback sockets, one receiver, each with the SHA-256 of what arrived compared. p2mp
// encrypts nothing; quic-go always does. Turns are whole transfers.
func BenchmarkTransfer(b *testing.B) {
	data := randomBytes(transferSize)
	digest := sha256.Sum256(data)
	got := make([]byte, 0, transferSize)
	config := tlsConfig(b)
	var ferry, other []float64
	for b.Loop() {
		start := time.Now()
		p2mpTransfer(b, data, &got)
		ferry = append(ferry, time.Since(start).Seconds())
		if sha := sha256.Sum256(got); sha != digest { // p2mp compares by itself; this is not timed
			b.Fatal("p2mp delivered something else")
		}
		start = time.Now()
		quicTransfer(b, config, data, &got)
		if sha256.Sum256(got) != digest {
			b.Fatal("quic-go delivered something else")
		}
		other = append(other, time.Since(start).Seconds())
	}
	mine, theirs := median(ferry), median(other)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(transferSize/mine/1e6, "ferry-MB/s")
	b.ReportMetric(transferSize/theirs/1e6, "quic-MB/s")
	b.ReportMetric(theirs/mine, "quic/ferry")
}

func listenUDP(b testing.TB) *net.UDPConn {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// A memory appends to a slice that has room.
type memory struct{ b *[]byte }

func (m memory) Write(b []byte) (int, error) {
	*m.b = append(*m.b, b...)
	return len(b), nil
}

func p2mpTransfer(b testing.TB, data []byte, got *[]byte) {
	*got = (*got)[:0]
	from, at := listenUDP(b), listenUDP(b)
	defer from.Close()
	defer at.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := (&p2mp.Receiver{}).Receive(ctx, at, memory{got})
		done <- err
	}()
	to := []netip.AddrPort{at.LocalAddr().(*net.UDPAddr).AddrPort()}
	_, err := (&p2mp.Sender{MSS: 1400}).Send(ctx, from, to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
	cancel()
	if err != nil {
		b.Fatal(err)
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func quicTransfer(b testing.TB, config *tls.Config, data []byte, got *[]byte) {
	*got = (*got)[:0]
	ctx := context.Background()
	from, at := listenUDP(b), listenUDP(b)
	defer from.Close()
	defer at.Close()
	l, err := quic.Listen(at, config, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept(ctx)
		if err != nil {
			done <- err
			return
		}
		stream, err := conn.AcceptUniStream(ctx)
		if err == nil {
			_, err = io.CopyBuffer(memory{got}, stream, make([]byte, 256<<10))
		}
		done <- err
		conn.CloseWithError(0, "")
	}()
	conn, err := quic.Dial(ctx, from, at.LocalAddr(), &tls.Config{InsecureSkipVerify: true, NextProtos: config.NextProtos}, nil)
	if err != nil {
		b.Fatal(err)
	}
	stream, err := conn.OpenUniStream()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(stream, bytes.NewReader(data)); err != nil {
		b.Fatal(err)
	}
	stream.Close()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func tlsConfig(b testing.TB) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"bench"},
	}
}
