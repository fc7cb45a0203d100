package multicast

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// usable returns the interface with a name, if it is up and can do multicast. (A loopback
// interface can, although its flags on Linux do not say so.)
func usable(name string) (*net.Interface, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, &InterfaceError{Interface: name, Err: errNoSuch}
	}
	return ifi, check(ifi)
}

// check returns why an interface cannot be used.
func check(ifi *net.Interface) error {
	switch {
	case ifi.Flags&net.FlagUp == 0:
		return &InterfaceError{Interface: ifi.Name, Err: errDown}
	case ifi.Flags&(net.FlagMulticast|net.FlagLoopback) == 0:
		return &InterfaceError{Interface: ifi.Name, Err: errNoMulticast}
	}
	return nil
}

// interfaceTo returns the interface to which the system's route to group leads. Without a
// route, it returns the only interface that can be used, if there is one; found is then
// false.
func interfaceTo(group netip.Addr) (ifi *net.Interface, found bool, err error) {
	index, err := routeIndex(group)
	if err == nil {
		if ifi, err = net.InterfaceByIndex(index); err == nil {
			err = check(ifi)
		}
		return ifi, true, err
	}
	ifi, err = only(group)
	return ifi, false, err
}

// only returns the only interface of this host that can be used, apart from loopback ones
// unless there is no other.
func only(group netip.Addr) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var others, loopbacks []net.Interface
	for _, ifi := range all {
		switch {
		case check(&ifi) != nil || !has(&ifi, group.Is6()):
		case ifi.Flags&net.FlagLoopback != 0:
			loopbacks = append(loopbacks, ifi)
		default:
			others = append(others, ifi)
		}
	}
	switch {
	case len(others) == 1:
		return &others[0], nil
	case len(others) == 0 && len(loopbacks) == 1:
		return &loopbacks[0], nil
	case len(others) > 1:
		var list []string
		for _, ifi := range others {
			list = append(list, ifi.Name)
		}
		slices.Sort(list)
		return nil, fmt.Errorf("%w: there is no route to it, and several could be meant: %s", ErrNoInterface, strings.Join(list, ", "))
	}
	return nil, fmt.Errorf("%w: there is no route to it, and no interface is up", ErrNoInterface)
}

// has reports whether an interface has an address of a version of IP.
func has(ifi *net.Interface, six bool) bool {
	addrs, _ := ifi.Addrs()
	for _, a := range addrs {
		if ipn, ok := a.(*net.IPNet); ok && (ipn.IP.To4() == nil) == six {
			return true
		}
	}
	return false
}
