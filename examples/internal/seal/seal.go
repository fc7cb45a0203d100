// Package seal has the flags -key and -max-skew, which all programs that send UDP packets
// share.
package seal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/sealed"
)

// variable names the key file if -key does not.
const variable = "FERRY_KEY_FILE"

// Flags are the values of the flags.
type Flags struct {
	purpose string
	file    *string
	skew    *time.Duration

	once   sync.Once
	config *sealed.Config // nil without a key
	err    error
}

// New defines the flags, for packets of a purpose.
func New(purpose string) *Flags {
	return &Flags{
		purpose: purpose,
		file:    flag.String("key", "", "seal all packets with the keys in `FILE`, which ferry-key makes (default: the file that "+variable+" names, if it is set)"),
		skew:    flag.Duration("max-skew", 0, "with a key: the `time` by which clocks may differ (0: 2m0s; negative: no limit, less protection against replays)"),
	}
}

// Wrap returns conn, sealed if there is a key. It closes conn if it returns an error.
func (f *Flags) Wrap(conn net.PacketConn) (net.PacketConn, error) {
	on, err := f.On()
	if !on && err == nil {
		return conn, nil
	}
	var w net.PacketConn
	if err == nil {
		w, err = f.config.Wrap(conn)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

// ListenPacket is net.ListenPacket with a conn that is sealed if there is a key.
func (f *Flags) ListenPacket(network, address string) (net.PacketConn, error) {
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return f.Wrap(conn)
}

// Listener returns a function that opens conns which are sealed, or nil without a key.
func (f *Flags) Listener() func(ctx context.Context, local netip.AddrPort) (net.PacketConn, error) {
	if on, _ := f.On(); !on {
		return nil
	}
	return func(ctx context.Context, local netip.AddrPort) (net.PacketConn, error) {
		conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", local.String())
		if err != nil {
			return nil, err
		}
		return f.Wrap(conn)
	}
}

// On reports whether there is a key.
func (f *Flags) On() (bool, error) {
	f.once.Do(func() { f.config, f.err = f.load() })
	return f.config != nil, f.err
}

// load reads the key file.
func (f *Flags) load() (*sealed.Config, error) {
	name := *f.file
	if name == "" {
		name = os.Getenv(variable)
	}
	if name == "" {
		if *f.skew != 0 {
			return nil, cli.Usagef("-max-skew needs -key")
		}
		return nil, nil
	}
	file, err := OpenSecret(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	keys, err := sealed.ParseKeys(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	trace := &sealed.Trace{Refused: (&reporter{}).refused}
	return &sealed.Config{Keys: keys, Purpose: f.purpose, MaxSkew: *f.skew, Trace: trace}, nil
}

// OpenSecret opens a file that only its owner may be able to read.
func OpenSecret(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		err = fmt.Errorf("others can read or change %s: run chmod 600 %s", name, name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// pause is the time between two reports.
const pause = 10 * time.Second

// A reporter prints that packets do not open, once in a while.
type reporter struct {
	mu    sync.Mutex
	last  time.Time
	count int
}

func (r *reporter) refused(p sealed.Refusal) {
	if p.Reason == sealed.Reflected {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	now := time.Now()
	if !r.last.IsZero() && now.Sub(r.last) < pause {
		return
	}
	text := ""
	if p.Skew != 0 {
		text = fmt.Sprintf("; its clock differs by %v", p.Skew.Abs())
	}
	fmt.Fprintf(cli.Stderr, "%d packets did not open: another key, purpose or clock? The last is from %v: %v%s\n", r.count, p.Addr, p.Reason, text)
	r.last, r.count = now, 0
}
