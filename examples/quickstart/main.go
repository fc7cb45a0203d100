// Quickstart sends a file to several receivers over real UDP sockets of this
// machine, loses some of the packets in every direction, and proves that all
// receivers have the file. It ends with status 0 only if they do.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/bars"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/p2mp"
	"golang.org/x/sync/errgroup"
)

var (
	file      = flag.String("file", "", "`FILE` to send (default: 4 MiB of noise)")
	receivers = flag.Int("receivers", 3, "number of receivers")
	loss      = flag.Float64("loss", 0.1, "`probability` that a packet is lost, in every direction")
	seed      = flag.Uint64("seed", 1, "seed of the losses and the noise")
	verbose   = flag.Bool("v", false, "print every timeout, and no progress bars")
)

func main() { cli.Main("quickstart [flags]", run) }

func run(ctx context.Context) error {
	if flag.NArg() > 0 || *receivers < 1 {
		return cli.Usagef("want at least one receiver, and no arguments")
	}
	if err := cli.Probability("loss", *loss); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "ferry")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if *file == "" {
		*file = filepath.Join(tmp, "noise")
		if err := os.WriteFile(*file, noise(4<<20), 0o600); err != nil {
			return err
		}
	}
	report, err := transfer(ctx, tmp)
	if err != nil {
		return err
	}
	return prove(report, tmp)
}

// transfer sends the file to receivers that keep it as tmp/0, tmp/1 ...
func transfer(ctx context.Context, tmp string) (p2mp.Report, error) {
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return p2mp.Report{}, err
	}
	defer root.Close()
	ctx, done := context.WithCancel(ctx)
	defer done()
	var group errgroup.Group
	var to []netip.AddrPort
	for i := range *receivers {
		conn, err := listen(uint64(i))
		if err != nil {
			return p2mp.Report{}, err
		}
		defer conn.Close()
		to = append(to, conn.LocalAddr().(*net.UDPAddr).AddrPort())
		r := p2mp.Receiver{Transfers: 1}
		group.Go(func() error { return r.Serve(ctx, conn, ferry.SaveAs(root, fmt.Sprint(i))) })
	}
	report, err := send(ctx, to)
	done() // what is complete need not linger: the sender has heard of it
	if e := group.Wait(); err == nil {
		err = e
	}
	return report, err
}

// send sends the file, and shows how it gets on.
func send(ctx context.Context, to []netip.AddrPort) (p2mp.Report, error) {
	f, err := os.Open(*file)
	if err != nil {
		return p2mp.Report{}, err
	}
	defer f.Close()
	source, err := ferry.FileSource(f)
	if err != nil {
		return p2mp.Report{}, err
	}
	conn, err := listen(uint64(*receivers))
	if err != nil {
		return p2mp.Report{}, err
	}
	defer conn.Close()
	var s p2mp.Sender
	if *verbose {
		s.Trace = p2mp.PrintTrace(os.Stderr)
	} else if bars.OnTerminal(os.Stderr) {
		b := bars.New(os.Stderr, to, source.Size)
		s.Trace = b.Trace()
		defer b.Wait()
	}
	return s.Send(ctx, conn, to, source)
}

// listen opens a loopback socket that loses some of the packets written to it.
func listen(n uint64) (net.PacketConn, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return lossy.Wrap(conn, lossy.Seed(*seed+n), lossy.Loss(*loss)), nil
}

// prove compares the digests of the sent and the received files, and prints a table.
func prove(report p2mp.Report, tmp string) error {
	want, err := digest(*file)
	if err != nil {
		return err
	}
	var wrong error
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVER\tBYTES\tPACKETS\tSENT AGAIN\tTIME\tSHA256 OK")
	for i, p := range report.Peers {
		got, err := digest(filepath.Join(tmp, fmt.Sprint(i)))
		ok := err == nil && got == want
		if !ok {
			wrong = errors.Join(wrong, err, fmt.Errorf("%v has another file", p.Addr))
		}
		fmt.Fprintf(w, "%v\t%d\t%d\t%d\t%v\t%v\n", p.Addr, p.Bytes, p.Sent, p.Retransmitted, p.Elapsed.Round(time.Millisecond), ok)
	}
	return errors.Join(w.Flush(), wrong)
}

func digest(name string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), err
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(*seed, 0))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
