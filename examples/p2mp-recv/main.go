// P2mp-recv receives files that p2mp-send sends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/multicast"
	"github.com/ferrygo/ferry/p2mp"
)

var (
	listen    = flag.String("listen", ":7735", "`address` to receive at")
	group     = flag.String("group", "", "also receive what is sent to the multicast group `ADDR:PORT`, whose port must be that of -listen")
	iface     = flag.String("iface", "", "`name` of the interface to join on (default: the system's route decides)")
	noOffload = flag.Bool("no-offload", false, "do not let the system join packets")
	noClassic = flag.Bool("no-classic", false, "ignore senders that speak the classic mode only")
	file      = flag.String("o", "", "keep the file as `FILE`, which is replaced")
	dir       = flag.String("dir", "", "keep the files in `DIR`, under the names that the senders give (a file of a classic sender is named after the time and the sender's address)")
	resume    = flag.Bool("resume", false, "with -dir: keep the part of a file whose transfer fails, and continue from there when the file is sent again")
	overwrite = flag.Bool("overwrite", false, "with -dir: replace files that exist")
	dotFiles  = flag.Bool("dotfiles", false, "with -dir: accept names that begin with a dot or a hyphen")
	maxSize   = cli.MaxSize("largest file that is accepted, in `bytes` (default: no limit)")
	loss      = flag.Float64("loss", 0, "drop arriving packets with this `probability`")
	seed      = flag.Uint64("seed", 1, "random `seed` of -loss; the same seed drops the same packets")
	verbose   = flag.Bool("v", false, "print the address to receive at, and every packet that -loss drops")
	transfers = -1
	key       = seal.New("p2mp")
)

func main() {
	flag.Func("n", "end after this `number` of completed transfers; 0: never (default: 1 with -o, 0 with -dir)", func(s string) (err error) {
		transfers, err = strconv.Atoi(s)
		return err
	})
	cli.Main("p2mp-recv [flags] -o FILE | -dir DIR", run)
}

func run(ctx context.Context) error {
	switch {
	case flag.NArg() > 0 || (*file == "") == (*dir == ""):
		return cli.Usagef("want either -o or -dir, and no arguments")
	case *dir == "" && (*resume || *overwrite || *dotFiles):
		return cli.Usagef("-resume only with -dir, like -overwrite and -dotfiles")
	case *iface != "" && *group == "":
		return cli.Usagef("-iface only with -group")
	}
	if err := cli.Probability("loss", *loss); err != nil {
		return err
	}
	handler, root, err := keep()
	if err != nil {
		return err
	}
	defer root.Close()
	conn, err := open()
	if err != nil {
		return err
	}
	defer conn.Close()
	if *verbose {
		fmt.Fprintln(os.Stderr, "receiving at", conn.LocalAddr())
	}
	serving, stop := context.WithCancelCause(ctx)
	r := p2mp.Receiver{Transfers: count(), Trace: trace(stop), NoOffload: *noOffload, NoClassic: *noClassic}
	err = r.Serve(serving, lose(conn, r.Trace), handler)
	switch {
	case ctx.Err() != nil && r.Transfers == 0:
		return nil // an interrupt is the normal end
	case serving.Err() != nil && err != nil:
		return context.Cause(serving)
	}
	return err
}

// open opens the conn to receive at.
func open() (net.PacketConn, error) {
	if *group == "" {
		return key.ListenPacket("udp", *listen)
	}
	conn, to, err := cli.ListenGroup(multicast.Config{Interface: *iface}, *group, *listen, true)
	if err == nil && conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() != to.Port() {
		conn.Close()
		return nil, cli.Usagef("-listen %s: want the port of the group, %d", *listen, to.Port())
	}
	if err != nil {
		return nil, err
	}
	return key.Wrap(conn)
}

func count() int {
	switch {
	case transfers >= 0:
		return transfers
	case *file != "":
		return 1
	}
	return 0
}

// keep opens the directory that files go to.
func keep() (ferry.Handler, *os.Root, error) {
	if *dir != "" {
		root, err := os.OpenRoot(*dir)
		if err != nil {
			return nil, nil, err
		}
		return &ferry.Dir{Root: root, Resume: *resume, Overwrite: *overwrite, DotFiles: *dotFiles, MaxSize: *maxSize}, root, nil
	}
	root, err := os.OpenRoot(filepath.Dir(*file))
	if err != nil {
		return nil, nil, err
	}
	handler := (&ferry.Dir{Root: root, Overwrite: true, MaxSize: *maxSize}).SaveAs(filepath.Base(*file))
	// An error is better now than when a sender comes.
	sink, err := handler.Accept(ferry.Offer{Size: -1})
	if err != nil {
		root.Close()
		return nil, nil, err
	}
	sink.Abort(nil)
	return handler, root, nil
}

// lose drops arriving packets, and tells the trace which.
func lose(conn net.PacketConn, trace *p2mp.Trace) net.PacketConn {
	if *loss == 0 {
		return conn
	}
	return lossy.Wrap(conn, lossy.Seed(*seed), lossy.Ingress(lossy.Loss(*loss)), lossy.WithTrace(&lossy.Trace{
		Judged: func(e lossy.Event) {
			if e.Verdict == lossy.Dropped {
				trace.Lost(e.From, e.Payload)
			}
		},
	}))
}

// trace reports each transfer, and with -v each packet that was dropped. It stops the
// program when FILE cannot be written, because no other sender could succeed.
func trace(stop context.CancelCauseFunc) *p2mp.Trace {
	t := &p2mp.Trace{}
	if *verbose {
		t = p2mp.PrintTrace(cli.Stderr)
	}
	t.Finished = func(e p2mp.TransferEvent) {
		switch {
		case e.Err == nil:
			fmt.Printf("%s from %v: %d bytes in %v\n", printable.Quote(e.Offer.Name), e.Offer.Addr, e.Report.Bytes, e.Report.Elapsed)
		case *file != "" && local(e.Err):
			stop(e.Err)
		default:
			fmt.Fprintf(os.Stderr, "%s from %v: %s\n", printable.Quote(e.Offer.Name), e.Offer.Addr, printable.Error(e.Err))
		}
	}
	var short bool
	t.Ignored = func(e p2mp.PacketEvent) {
		if _, system := errors.AsType[syscall.Errno](e.Err); system && !short {
			short = true // it may come with every packet
			fmt.Fprintf(os.Stderr, "offers are refused for now: %s\n", printable.Error(e.Err))
		}
	}
	return t
}

// local reports whether a transfer failed because of this host, and not because of its
// sender, or of another transfer that was complete first.
func local(err error) bool {
	if _, sender := errors.AsType[*p2mp.AbortError](err); sender {
		return false
	}
	for _, other := range []error{ferry.ErrSilent, ferry.ErrRestarted, ferry.ErrDigest, ferry.ErrBusy, ferry.ErrTooLarge, ferry.ErrDiskFull} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}
