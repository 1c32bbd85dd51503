"""What clips are measured with: judges that no control optimises, and distances between sets."""
