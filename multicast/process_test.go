package multicast

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// otherProcess tells, in the environment, a process of this test what to do: the
// interface, an address to listen at, and the group to be in and to send to.
const otherProcess = "FERRY_MULTICAST_OTHER"

// TestOtherProcess: another program on this host is in group B, on the same port, and
// receives a thousand packets; a Conn in group A receives none of them.
func TestOtherProcess(t *testing.T) {
	lo := loopbackName(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			f.needs(t)
			inA := listenAt(t, Config{Interface: lo}, f.anywhere, Membership{Group: netip.MustParseAddr(f.a)})
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBeingOther$", "-test.v")
			same := strings.TrimSuffix(f.anywhere, "0") + fmt.Sprint(port(inA))
			c.Env = append(os.Environ(), inNamespace+"=", otherProcess+"="+lo+" "+same+" "+f.b)
			if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestBeingOther") {
				t.Fatalf("the other process: %v\n%s", err, out)
			}
			// A loopback interface delivers a packet to all sockets at once.
			sender := listenAt(t, Config{Interface: lo}, f.anywhere)
			sendTo(t, sender, at(f.a, port(inA)), "for A")
			receive(t, inA, "for A")
		})
	}
}

// TestBeingOther is what the other process of TestOtherProcess does.
func TestBeingOther(t *testing.T) {
	args := strings.Fields(os.Getenv(otherProcess))
	if len(args) != 3 {
		t.Skip("runs in TestOtherProcess")
	}
	group := netip.MustParseAddr(args[2])
	conn := listenAt(t, Config{Interface: args[0]}, args[1], Membership{Group: group})
	for i := range 1000 {
		sendTo(t, conn, at(args[2], port(conn)), strconv.Itoa(i))
		receive(t, conn, strconv.Itoa(i))
	}
}
