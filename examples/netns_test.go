package examples

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A namespace is a separate network, like that of another machine.
type namespace struct {
	t    *testing.T
	name string
	addr string
}

// sh runs a command of the system to its end.
func sh(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// namespaces makes two namespaces joined by a cable. It skips the test where that is
// not possible, which takes root, ip and nft on Linux.
func namespaces(t *testing.T) (a, b namespace) {
	t.Helper()
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no network namespaces here: ", err)
		}
	}
	id := fmt.Sprintf("ferry%d", os.Getpid())
	a, b = namespace{t, id + "a", "10.88.0.1"}, namespace{t, id + "b", "10.88.0.2"}
	for _, ns := range []namespace{a, b} {
		if _, err := sh(t, "ip", "netns", "add", ns.name); err != nil {
			t.Skip("no network namespaces here: ", err)
		}
		t.Cleanup(func() { sh(t, "ip", "netns", "del", ns.name) })
	}
	if _, err := sh(t, "ip", "link", "add", "veth0", "netns", a.name, "type", "veth", "peer", "name", "veth0", "netns", b.name); err != nil {
		t.Skip("no cables between namespaces here: ", err)
	}
	for _, ns := range []namespace{a, b} {
		ns.must("ip", "addr", "add", ns.addr+"/24", "dev", "veth0")
		ns.must("ip", "link", "set", "veth0", "up")
	}
	return a, b
}

func (ns namespace) must(args ...string) string {
	ns.t.Helper()
	out, err := sh(ns.t, append([]string{"ip", "netns", "exec", ns.name}, args...)...)
	if err != nil {
		ns.t.Fatal(err)
	}
	return out
}

// lose makes the kernel drop a percentage of the UDP packets that arrive, and always the
// eighth: the kernel counts joined packets as one, so their number may be small.
func (ns namespace) lose(percent int) {
	ns.t.Helper()
	if _, err := sh(ns.t, "ip", "netns", "exec", ns.name, "nft", fmt.Sprintf(
		"add table inet t; add chain inet t in { type filter hook input priority 0; }; "+
			"add rule inet t in meta l4proto udp numgen inc mod 65536 == 7 counter drop; "+
			"add rule inet t in meta l4proto udp numgen random mod 100 < %d counter drop", percent)); err != nil {
		ns.t.Skip("the kernel has no way to lose packets: ", err)
	}
}

// lost is whether it did.
func (ns namespace) lost() bool {
	return regexp.MustCompile(`counter packets [1-9]`).MatchString(ns.must("nft", "list", "ruleset"))
}

// command prepares a program that runs there.
func (ns namespace) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(context.Background())
	ns.t.Cleanup(cancel)
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns.name, filepath.Join(bin, name)}, args...)...)
}
