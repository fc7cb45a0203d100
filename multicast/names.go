package multicast

import (
	"net"
	"strconv"
)

// maxNames bounds the number of interfaces whose names are remembered.
const maxNames = 64

// names caches the names of interfaces, which take system calls to look up. The system does
// not use an index again for another interface. The zero value is ready to use.
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
	if *n == nil || len(*n) >= maxNames {
		*n = make(names)
	}
	(*n)[index] = name
	return name
}
