package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnswersFromAddressAsked: clients reach every server on a wildcard address at each
// address of its host. The host has two addresses of each version of IP on the cable, one
// on its loopback interface, and a link-local one; the system would answer from the first.
func TestAnswersFromAddressAsked(t *testing.T) {
	client, host := namespaces(t)
	for _, ns := range []namespace{client, host} {
		ns.must("ip", "link", "set", "lo", "up") // without ::1 the net package uses no IPv6
	}
	host.must("ip", "addr", "add", "10.88.0.22/24", "dev", "veth0")
	host.must("ip", "addr", "add", "192.0.2.88/32", "dev", "lo")
	client.must("ip", "route", "add", "192.0.2.88/32", "via", host.addr)
	for ns, addrs := range map[namespace][]string{client: {"fd88::1/64", "fe80::1/64"}, host: {"fd88::2/64", "fd88::22/64", "fe80::22/64"}} {
		for _, a := range addrs {
			ns.must("ip", "addr", "add", a, "dev", "veth0", "nodad")
		}
	}
	asked := []string{host.addr, "10.88.0.22", "192.0.2.88", "[fd88::2]", "[fd88::22]", "[fe80::22%veth0]"}

	served, received := t.TempDir(), t.TempDir()
	data := []byte("asked and answered\n")
	file := func(name ...any) string {
		path := filepath.Join(served, fmt.Sprint(name...))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("file")
	for _, server := range [][]string{
		{"tftpd", "-v", "-listen", ":6900", served},
		{"tftpd", "-v", "-listen", ":6901", "-single-port", served},
		{"octoput-recv", "-v", "-listen", ":8888", "-dir", received},
		{"p2mp-recv", "-v", "-listen", ":7735", "-dir", received},
		{"directoryd", "-v", "-listen", ":7777"},
		{"lossyproxy", "-v", "-listen", ":6902", "-to", "127.0.0.1:6900"},
	} {
		startIn(t, host, server...)
	}
	for i, at := range asked {
		for _, args := range [][]string{
			{"tftp", "-giveup", "5s", "get", at + ":6900", "file", filepath.Join(received, fmt.Sprint("got", i))},
			{"tftp", "-giveup", "5s", "get", at + ":6901", "file", filepath.Join(received, fmt.Sprint("single", i))},
			{"tftp", "-giveup", "5s", "get", at + ":6902", "file", filepath.Join(received, fmt.Sprint("proxy", i))},
			{"octoput-send", file("octoput", i), at + ":8888"},
			{"p2mp-send", file("p2mp", i), at + ":7735"},
			{"peer", "-directory", at + ":7777", "-view"},
		} {
			if out, err := client.command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
		for _, name := range []string{"got", "single", "proxy", "octoput", "p2mp"} {
			same(t, filepath.Join(received, fmt.Sprint(name, i)), data)
		}
	}
}

// startIn starts a server in a namespace, and returns when it has bound its port.
func startIn(t *testing.T, ns namespace, args ...string) {
	t.Helper()
	c := ns.command(args[0], args[1:]...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	var port int
	for i, a := range args {
		if a == "-listen" {
			fmt.Sscanf(args[i+1], ":%d", &port)
		}
	}
	bound := fmt.Sprintf(":%04X ", port)
	for range 1000 { // each takes some milliseconds
		if strings.Contains(ns.must("cat", "/proc/net/udp", "/proc/net/udp6"), bound) {
			return
		}
	}
	t.Fatalf("%v has not bound its port", args)
}
