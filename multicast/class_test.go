package multicast

import (
	"net/netip"
	"testing"
)

// TestClassify classifies both ends of every block, and the addresses next to it.
func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		first, last string
		want        Class
	}{
		{"0.0.0.0", "223.255.255.255", Unicast},
		{"224.0.0.0", "224.0.0.255", LinkControl},
		{"224.0.1.0", "224.0.1.255", InternetControl},
		{"224.0.2.0", "224.0.255.255", AdHoc},
		{"224.1.0.0", "224.1.255.255", Reserved},
		{"224.2.0.0", "224.2.255.255", SDPSAP},
		{"224.3.0.0", "224.4.255.255", AdHoc},
		{"224.5.0.0", "231.255.255.255", Reserved},
		{"232.0.0.0", "232.255.255.255", SSM},
		{"233.0.0.0", "233.251.255.255", GLOP},
		{"233.252.0.0", "233.255.255.255", AdHoc},
		{"234.0.0.0", "234.255.255.255", UnicastBased},
		{"235.0.0.0", "238.255.255.255", Reserved},
		{"239.0.0.0", "239.255.255.255", AdminScoped},
		{"240.0.0.0", "255.255.255.254", Reserved},
		{"255.255.255.255", "255.255.255.255", Broadcast},
		{"::ffff:224.0.0.1", "::ffff:224.0.0.255", LinkControl},
		{"::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Unicast},
		{"ff00::", "ff00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved},
		{"ff01::", "ff02:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LinkControl},
		{"ff03::", "ff0e:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Assigned},
		{"ff0f::", "ff10:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved},
		{"ff11::", "ff1e:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Transient},
		{"ff1f::", "ff20:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved},
		{"ff21::", "ff2e:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UnicastBased},
		{"ff2f::", "ff30:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved},
		{"ff31::", "ff31:0:ffff:ffff:ffff:ffff:ffff:ffff", SSM},
		{"ff3e::", "ff3e:0:ffff:ffff:ffff:ffff:ffff:ffff", SSM},
		{"ff3e:1::", "ff3e:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UnicastBased},
		{"ff3f::", "ff3f:ffff::", Reserved},
		{"ff41::", "ff4e:ffff::", Reserved}, // R without P
		{"ff7e::", "ff7e:ffff::", UnicastBased},
		{"ff80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved},
	} {
		for _, s := range []string{tt.first, tt.last} {
			if got := Classify(netip.MustParseAddr(s)); got != tt.want {
				t.Errorf("%s is %v, want %v", s, got, tt.want)
			}
		}
	}
	if got := Classify(netip.Addr{}); got != Reserved {
		t.Errorf("no address is %v", got)
	}
	if got := Classify(netip.MustParseAddr("ff02::1%eth0")); got != LinkControl {
		t.Errorf("with a zone: %v", got)
	}
}

// CSCI 351 project 4, "Multicasting": 224.0.0.0 to 239.255.255.255, and the special ones.
func TestDocumentAddresses(t *testing.T) {
	for s, want := range map[string]bool{"223.255.255.255": false, "224.0.0.0": true, "239.255.255.255": true, "240.0.0.0": false} {
		if got := netip.MustParseAddr(s).IsMulticast(); got != want {
			t.Errorf("%s is multicast: %v", s, got)
		}
	}
	if AllHosts().String() != "224.0.0.1" || AllRouters().String() != "224.0.0.2" ||
		Classify(AllHosts()) != LinkControl || Classify(AllRouters()) != LinkControl {
		t.Error("all hosts and all routers are elsewhere")
	}
	if got := Classify(netip.MustParseAddr("224.1.1.1")); got != Reserved {
		t.Errorf("224.1.1.1 is %v, want reserved (RFC 5771)", got)
	}
}

func TestMAC(t *testing.T) {
	for addr, want := range map[string]string{
		"224.0.0.1":          "01:00:5e:00:00:01",
		"224.1.1.1":          "01:00:5e:01:01:01",
		"239.255.255.255":    "01:00:5e:7f:ff:ff",
		"239.127.255.255":    "01:00:5e:7f:ff:ff",
		"::ffff:224.128.2.3": "01:00:5e:00:02:03",
		"ff02::1:ff12:3456":  "33:33:ff:12:34:56",
		"255.255.255.255":    "ff:ff:ff:ff:ff:ff",
	} {
		if got, err := MAC(netip.MustParseAddr(addr)); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", addr, got, err, want)
		}
	}
	if got, err := MAC(netip.MustParseAddr("10.0.0.1")); err == nil {
		t.Errorf("a host: %v", got)
	}
}

func TestAliases(t *testing.T) {
	group := netip.MustParseAddr("224.1.1.1")
	all := Aliases(group)
	seen := make(map[netip.Addr]bool)
	for _, a := range all {
		seen[a] = true
		if mac, err := MAC(a); err != nil || mac.String() != "01:00:5e:01:01:01" {
			t.Errorf("%v: %v, %v", a, mac, err)
		}
	}
	if len(seen) != 32 || !seen[group] || !seen[netip.MustParseAddr("239.129.1.1")] || all[0] != group {
		t.Errorf("%v", all)
	}
	if Aliases(netip.MustParseAddr("10.0.0.1")) != nil || Aliases(netip.MustParseAddr("ff02::1")) != nil {
		t.Error("aliases of what is no IPv4 group")
	}
}

// CSCI 351 project 4, "Broadcasting": the host's part is all ones.
func TestDirectedBroadcast(t *testing.T) {
	for network, want := range map[string]string{
		"10.1.2.3/8":         "10.255.255.255",
		"192.168.1.0/24":     "192.168.1.255",
		"192.168.1.77/26":    "192.168.1.127",
		"192.0.2.4/30":       "192.0.2.7",
		"0.0.0.0/0":          "255.255.255.255",
		"128.226.180.163/22": "128.226.183.255",
	} {
		if got, err := DirectedBroadcast(netip.MustParsePrefix(network)); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", network, got, err, want)
		}
	}
	for _, p := range []netip.Prefix{
		{},
		netip.MustParsePrefix("10.0.0.0/31"), netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("2001:db8::/64"),
		netip.MustParsePrefix("224.0.0.0/24"), netip.MustParsePrefix("::ffff:10.0.0.0/104"),
	} {
		if got, err := DirectedBroadcast(p); err == nil {
			t.Errorf("%v: %v", p, got)
		}
	}
}

func TestFilter(t *testing.T) {
	a, b := netip.MustParseAddr("239.1.1.1"), netip.MustParseAddr("239.2.2.2")
	one, two := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	f := &filter{rules: map[netip.Addr][]rule{
		a: {{index: 3, include: []netip.Addr{one}}, {index: 4}},
		b: {{index: 3, exclude: []netip.Addr{one}}},
	}}
	host := netip.MustParseAddr("10.0.0.9")
	for _, tt := range []struct {
		to, from  netip.Addr
		index     int
		broadcast bool
		want      bool
	}{
		{a, one, 3, false, true},
		{a, two, 3, false, false},
		{a, two, 4, false, true},
		{a, one, 5, false, false},
		{b, one, 3, false, false},
		{b, two, 3, false, true},
		{b, two, 4, false, false},
		{netip.MustParseAddr("239.3.3.3"), one, 3, false, false},
		{host, one, 3, false, false},
		{host, one, 3, true, false},
		{netip.Addr{}, one, 0, false, true}, // the system does not say
	} {
		info := Info{Destination: tt.to, Source: netip.AddrPortFrom(tt.from, 1), index: tt.index, broadcast: tt.broadcast}
		if got := f.wants(&info); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if info := (Info{Destination: host}); !(&filter{unicast: true}).wants(&info) {
		t.Error("unicast is not delivered where it is wanted")
	}
	info := Info{Destination: host, broadcast: true}
	if (&filter{unicast: true}).wants(&info) || !(&filter{broadcast: true}).wants(&info) {
		t.Error("broadcasts are delivered where they are not wanted, or not where they are")
	}
}
