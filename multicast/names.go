package multicast

import (
	"net"
	"strconv"
)

// mostNames bounds the interfaces whose names are remembered.
const mostNames = 64

// names remembers the names of interfaces, which take system calls to find. An index is
// not used again for another interface. The zero value is ready.
type names map[int]string

func (n *names) of(index int) string {
	if index == 0 {
		return ""
	}
	if name, ok := (*n)[index]; ok {
		return name
	}
	name := strconv.Itoa(index)
	if ifi, err := net.InterfaceByIndex(index); err == nil {
		name = ifi.Name
	}
	if *n == nil || len(*n) >= mostNames {
		*n = make(names)
	}
	(*n)[index] = name
	return name
}
