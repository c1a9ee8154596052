"""What do we hold?"""
