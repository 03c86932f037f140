package transport

import "os"

// keyLog appends the secrets of connections to a file (NSS key log format), so
// that Wireshark can read them. The file is open only while a line is written:
// nobody closes it, several sessions share it, and it is seldom in use.
type keyLog string

func openKeyLog(path string) (keyLog, error) {
	log := keyLog(path)
	if _, err := log.Write(nil); err != nil {
		return "", err
	}
	return log, nil
}

// Write implements io.Writer.
func (l keyLog) Write(line []byte) (int, error) {
	file, err := os.OpenFile(string(l), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := file.Write(line)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return n, err
}
