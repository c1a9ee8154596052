"""What can it lose?"""
