// Bytes that many hold together: asked for before memory is taken, given back by whoever goes.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace strata::api {

// Any thread.
class ByteBudget {
 public:
  explicit ByteBudget(size_t limit) : limit_(limit) {}
  size_t used() const { return used_; }
  size_t limit() const { return limit_; }

  // What one holds; given back when it goes. One thread at a time.
  class Hold {
   public:
    Hold() = default;
    explicit Hold(std::shared_ptr<ByteBudget> budget) : budget_(std::move(budget)) {}
    Hold(Hold&& other) noexcept
        : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Hold() {
      if (budget_) budget_->used_ -= bytes_;
    }

    // At least so many. False: there is no room, and what is held stays.
    bool grow_to(size_t bytes) {
      if (bytes <= bytes_) return true;
      const size_t more = bytes - bytes_;
      const size_t before = budget_->used_.fetch_add(more);
      if (before + more > budget_->limit_) {
        budget_->used_ -= more;
        return false;
      }
      bytes_ = bytes;
      return true;
    }
    // Exactly so many, whatever the limit: of what is in memory already.
    void set(size_t bytes) {
      budget_->used_ += bytes - bytes_;  // modulo 2^64 where it shrinks
      bytes_ = bytes;
    }
    size_t bytes() const { return bytes_; }

   private:
    std::shared_ptr<ByteBudget> budget_;
    size_t bytes_ = 0;
  };

 private:
  const size_t limit_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace strata::api
