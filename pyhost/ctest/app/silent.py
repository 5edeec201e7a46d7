import sys

sys.stdout.close()
sys.stderr.close()
raise ValueError("nobody to hear")
