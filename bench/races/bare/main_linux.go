// Command bare moves a file with the system calls that a windowed protocol needs. Except
// for hashing, if it is asked for, it does nothing else: no headers, timers or retransmission. Nearly all of
// its time is the kernel's, so the races use it as a floor. It hangs if a packet is lost.
//
//	bare [-packet N] [-window N] [-hash] serve ADDRESS FILE
//	bare [-packet N] [-window N] [-hash] get ADDRESS COPY
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

var (
	packet = flag.Int("packet", 1432, "length of a `datagram`, bytes")
	window = flag.Int("window", 64, "`datagrams` for each acknowledgement")
	hashes = flag.Bool("hash", false, "compute SHA-256 at both ends")
)

// What one call may send.
const (
	mostSent     = 65507 // bytes
	mostSegments = 64
)

func main() {
	flag.Parse()
	if err := do(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func do(args []string) error {
	if len(args) != 3 || *packet < 1 || *packet > 1472 || *window < 1 || *packet**window > 1<<20 {
		return errors.New("want serve ADDRESS FILE or get ADDRESS COPY, packets of at most 1472 bytes and windows of at most 1 MiB")
	}
	addr, err := netip.ParseAddrPort(args[1])
	if err != nil {
		return err
	}
	// Calls block, so that none but the kernel is asked to wait.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	at := &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	if args[0] == "get" {
		return get(fd, at, args[2])
	}
	if err := unix.Bind(fd, at); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, *packet); err != nil {
		return err
	}
	for {
		if err := serve(fd, args[2]); err != nil {
			return err
		}
	}
}

// serve waits for one getter and sends it the file, window by window.
func serve(fd int, name string) error {
	ack := make([]byte, 4)
	_, to, err := unix.Recvfrom(fd, ack, 0)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	digest := newDigest()
	buf := make([]byte, *window**packet)
	for {
		n, err := io.ReadFull(f, buf)
		if n == 0 && err != nil {
			return unix.Sendto(fd, nil, 0, to) // the end
		}
		most := min(mostSent / *packet, mostSegments) * *packet
		for b := buf[:n]; len(b) > 0; b = b[min(most, len(b)):] {
			if err := unix.Sendto(fd, b[:min(most, len(b))], 0, to); err != nil {
				return err
			}
		}
		digest.Write(buf[:n]) // meanwhile
		if n < len(buf) {
			continue
		}
		if _, err := unix.Read(fd, ack); err != nil {
			return err
		}
	}
}

// get asks for the file, and acknowledges each window.
func get(fd int, from unix.Sockaddr, name string) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	ack := make([]byte, 4)
	if err := unix.Sendto(fd, ack, 0, from); err != nil {
		return err
	}
	digest := newDigest()
	buf := make([]byte, 1<<16)
	for taken := 0; ; {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return err
		}
		if n == 0 {
			return f.Close()
		}
		if taken += n; taken >= *window**packet {
			taken = 0
			if err := unix.Sendto(fd, ack, 0, from); err != nil {
				return err
			}
		}
		// Meanwhile the next window is on its way.
		digest.Write(buf[:n])
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
	}
}

func newDigest() io.Writer {
	if *hashes {
		return sha256.New()
	}
	return io.Discard
}
