// Package tftp is TFTP.
package tftp
