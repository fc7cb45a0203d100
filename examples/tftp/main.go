// Tftp reads a file from a TFTP server, or writes one to it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/bars"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/tftp"
)

var (
	wide       = flag.Bool("wide", false, "count blocks in four bytes, as the UDP file delivery assignment does")
	blockSize  = flag.Int("blksize", 0, "`bytes` in a block (default 1428, or 512 with -wide)")
	windowSize = flag.Int("windowsize", 0, "`blocks` for each acknowledgement (default 16)")
	mode       = flag.String("mode", "octet", "octet or netascii")
	giveUp     = flag.Duration("giveup", 0, "how long the server may make no progress (default 10s for get, 30s for put)")
	maxSize    = cli.MaxSize("get: refuse a file of more than this many `bytes` (1500000, 1.5MB, 4GiB)")
	ignoreSize = flag.Bool("ignore-size", false, "get: accept a file whose length differs from the one that the server announced")
	verbose    = flag.Bool("v", false, "log the agreed options, every packet, and a summary")
	key        = seal.New("tftp")
)

func main() {
	cli.Main("tftp [flags] get HOST[:PORT] NAME [LOCAL] | put HOST[:PORT] LOCAL [NAME]", run)
}

func run(ctx context.Context) error {
	if n := flag.NArg(); n < 3 || n > 4 {
		return cli.Usagef("want get HOST[:PORT] NAME [LOCAL], or put HOST[:PORT] LOCAL [NAME]")
	}
	if *giveUp < 0 {
		return cli.Usagef("-giveup %v: want a positive time", *giveUp)
	}
	c := tftp.Client{
		Wide: *wide, BlockSize: *blockSize, WindowSize: *windowSize,
		GiveUp: *giveUp, MaxSize: *maxSize, IgnoreSize: *ignoreSize,
	}
	var ok bool
	if c.Mode, ok = tftp.ParseMode(*mode); !ok {
		return cli.Usagef("-mode %q: want octet or netascii", *mode)
	}
	servers, err := cli.Resolve(flag.Args()[1:2], 6900)
	if err != nil {
		return err
	}
	conn, err := key.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer conn.Close()
	t := &transfer{client: c, conn: conn, server: servers[0]}
	t.watch()
	defer t.done()
	switch first, second := flag.Arg(2), flag.Arg(3); flag.Arg(0) {
	case "get":
		return t.get(ctx, first, second)
	case "put":
		return t.put(ctx, first, second)
	}
	return cli.Usagef("%q: want get or put", flag.Arg(0))
}

// A transfer is what the command line asks for.
type transfer struct {
	client tftp.Client
	conn   net.PacketConn
	server netip.AddrPort
	bar    *bars.Counter
}

// watch logs, or shows a bar on a terminal.
func (t *transfer) watch() {
	switch {
	case *verbose:
		t.client.Trace = tftp.LogTrace(printable.Logger(os.Stderr, tftp.LevelPacket))
	case bars.OnTerminal(os.Stderr):
		t.client.Trace = t.progress()
	}
}

// done draws the bar for the last time.
func (t *transfer) done() {
	if t.bar != nil {
		t.bar.Wait()
	}
}

func (t *transfer) get(ctx context.Context, name, local string) error {
	if local == "-" {
		return t.report(t.client.Get(ctx, t.conn, t.server, name, ferry.To(os.Stdout)))
	}
	if local == "" {
		local = path.Base(name)
	}
	root, err := os.OpenRoot(filepath.Dir(local))
	if err != nil {
		return err
	}
	defer root.Close()
	return t.report(t.client.Get(ctx, t.conn, t.server, name, ferry.SaveAs(root, filepath.Base(local))))
}

func (t *transfer) put(ctx context.Context, local, name string) error {
	src := ferry.Source{R: os.Stdin, Size: -1}
	if local != "-" {
		f, err := cli.Open(ctx, local)
		if err != nil {
			return err
		}
		defer f.Close()
		if src, err = ferry.FileSource(f); err != nil {
			return err
		}
	} else if name == "" {
		return cli.Usagef("want a NAME for what comes from standard input")
	}
	if name == "" {
		name = filepath.Base(local)
	}
	return t.report(t.client.Put(ctx, t.conn, t.server, name, src))
}

// report says with -v what happened.
func (t *transfer) report(r tftp.Report, err error) error {
	if err == nil && *verbose {
		fmt.Fprintf(os.Stderr, "%d bytes in %v, blocks of %d, windows of %d, %d packets sent, %d again\n",
			r.Bytes, r.Elapsed, r.BlockSize, r.WindowSize, r.Sent, r.Retransmitted)
	}
	return err
}

// progress moves a bar, once it is known how long the file is.
func (t *transfer) progress() *tftp.Trace {
	return &tftp.Trace{
		Accepted: func(e tftp.TransferEvent) {
			if e.Settings.Size > 0 {
				t.bar = bars.NewCounter(os.Stderr, e.Request.Name, e.Settings.Size)
			}
		},
		Acked:    t.moved,
		Received: t.moved,
	}
}

func (t *transfer) moved(e tftp.PacketEvent) {
	if t.bar != nil {
		t.bar.Set(e.Total)
	}
}
