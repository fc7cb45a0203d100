// Package wholefile makes files that appear under their name only whole.
package wholefile
