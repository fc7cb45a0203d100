// Lossyproxy puts a bad network between any UDP client and server: clients talk to it
// instead of the server. It is bad in both directions.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/lossy/netem"
	"github.com/ferrygo/ferry/lossy/pcapng"
	"github.com/ferrygo/ferry/lossy/proxy"
)

var (
	listen  = flag.String("listen", "", "`address` that clients talk to")
	to      = flag.String("to", "", "`HOST:PORT` of the server")
	loss    = flag.Float64("loss", 0, "drop packets with this `probability`")
	delay   = flag.Duration("delay", 0, "delay packets by this time")
	jitter  = flag.Duration("jitter", 0, "delay packets by up to this time less or more")
	rate    float64
	seed    = flag.Uint64("seed", rand.Uint64(), "random seed `number`; the same seed loses the same packets")
	spec    = flag.String("netem", "", "`SPEC` in tc-netem's words, such as \"delay 50ms 10ms distribution normal loss gemodel 1% 10%\"")
	preset  = flag.String("preset", "", "a network by its `name`: lan, wifi, lte, satellite, assignment")
	pcap    = flag.String("pcap", "", "write all packets to `FILE`, for Wireshark")
	verbose = flag.Bool("v", false, "print the address, and every packet that is dropped")
)

func main() {
	cli.Rate(&rate, "rate", "let this number of `bits` per second through, with a queue of 1000 packets")
	cli.Main("lossyproxy [flags] -listen ADDR -to HOST:PORT", run)
}

func run(ctx context.Context) error {
	if flag.NArg() > 0 || *listen == "" || *to == "" {
		return cli.Usagef("want -listen and -to, and no arguments")
	}
	models, err := models()
	if err != nil {
		return err
	}
	servers, err := cli.Resolve([]string{*to}, 0)
	if err != nil {
		return err
	}
	capture, file, err := capture()
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()
	p := proxy.Server{
		To:      servers[0],
		Options: []lossy.Option{lossy.Seed(*seed), models},
		Trace:   &proxy.Trace{Refused: once()},
	}
	if capture != nil {
		p.Options = append(p.Options, lossy.WithTrace(capture.Trace()))
	}
	if *verbose {
		fmt.Fprintln(os.Stderr, "proxying at", conn.LocalAddr())
		log := printable.Logger(os.Stderr, slog.LevelDebug)
		p.Options = append(p.Options, lossy.WithTrace(lossy.LogTrace(log)))
	}
	err = p.Serve(ctx, conn)
	summary(p.Stats())
	if ctx.Err() != nil {
		err = nil // an interrupt is the normal end
	}
	if capture != nil && err == nil {
		err = capture.Err()
	}
	if file != nil && err == nil {
		err = file.Close()
	}
	return err
}

// once returns a function that prints the first refusal for each reason. The others are
// counted in the summary.
func once() func(proxy.Refusal) {
	var printed sync.Map
	return func(r proxy.Refusal) {
		if _, again := printed.LoadOrStore(r.Err.Error(), true); !again {
			fmt.Fprintf(os.Stderr, "no place for a packet from %v: %s (printed once)\n", r.Addr, printable.Error(r.Err))
		}
	}
}

// summary prints what the network did, and what the proxy itself lost.
func summary(s proxy.Stats) {
	fmt.Printf("%d packets, %d copies: %d passed on, %d dropped (seed %d)\n",
		s.Packets, s.Copies, s.Passed, s.Dropped(), *seed)
	if s.Missed > 0 {
		fmt.Printf("besides, the system dropped %d packets before the proxy read them: a receive buffer was full (raise net.core.rmem_max)\n", s.Missed)
	}
	if s.Unsent > 0 {
		fmt.Printf("besides, the system refused to send %d packets\n", s.Unsent)
	}
	if s.Refused > 0 {
		fmt.Printf("besides, %d packets were dropped because there was no place for their client\n", s.Refused)
	}
}

// models returns what the flags ask for, in this order: -loss, -rate, -delay and
// -jitter, -preset, -netem.
func models() (lossy.Model, error) {
	if err := cli.Probability("loss", *loss); err != nil {
		return nil, err
	}
	if *delay < 0 || *jitter < 0 {
		return nil, cli.Usagef("-delay %v -jitter %v: want no negative times", *delay, *jitter)
	}
	all := []lossy.Model{lossy.Loss(*loss)}
	if rate > 0 {
		all = append(all, lossy.RateWith(lossy.RateConfig{BitsPerSecond: rate, Overhead: 28}))
	}
	if *delay > 0 || *jitter > 0 {
		all = append(all, lossy.Jitter(max(0, *delay-*jitter), *delay+*jitter))
	}
	if *preset != "" {
		m, err := lossy.Preset(*preset)
		if err != nil {
			return nil, cli.Usagef("-preset: %w", err)
		}
		all = append(all, m)
	}
	if *spec != "" {
		m, err := (&netem.Parser{Table: table}).Parse(*spec)
		if err != nil {
			return nil, cli.Usagef("-netem: %w", err)
		}
		all = append(all, m)
	}
	return lossy.Compose(all...), nil
}

// table opens one of the distributions that tc has.
func table(distribution string) (io.ReadCloser, error) {
	if strings.ContainsAny(distribution, `/\*?[`) {
		return nil, fmt.Errorf("%q is not the name of a distribution", distribution)
	}
	for _, dir := range []string{"/usr/lib/tc", "/usr/lib/*/tc", "/usr/lib64/tc", "/usr/share/tc"} {
		files, _ := filepath.Glob(filepath.Join(dir, distribution+".dist"))
		if len(files) > 0 {
			return os.Open(files[0])
		}
	}
	return nil, fmt.Errorf("tc has no distribution %q", distribution)
}

// capture begins the file of -pcap, if there is one.
func capture() (*pcapng.Writer, *os.File, error) {
	if *pcap == "" {
		return nil, nil, nil
	}
	file, err := os.Create(*pcap)
	if err != nil {
		return nil, nil, err
	}
	c, err := pcapng.NewWriter(file)
	return c, file, err
}
